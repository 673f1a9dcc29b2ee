import datetime as dt
import hashlib
import os

from db.queue import jobs
from worker.fixity.orphans import find_orphans


def orphans(stock):
    return {os.fsdecode(one.path): one.reason for one in find_orphans(stock.database, stock.outbox).found}


def put(stock, name):
    path = stock.outbox / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def test_recorded_files_and_system_files_are_no_orphans(stock):
    _, made = stock.add("1950/a")
    put(stock, f"{made.relative_to(stock.outbox)}.json")
    for name in ("Thumbs.db", ".DS_Store", "1950/b.tif.part", "@eaDir/a.tif"):
        put(stock, name)
    found = find_orphans(stock.database, stock.outbox)
    assert (found.count, found.complete, found.looked_at) == (0, True, 5)


def test_what_nothing_on_record_made_is_told_and_stays(stock):
    stock.add("a")
    strays = [put(stock, name) for name in ("stray.tif", "1950/한강.tif", "stray.tif.json", "a.json")]
    (stock.outbox / "link").symlink_to(stock.inbox)
    assert set(orphans(stock)) == {"stray.tif", "1950/한강.tif", "stray.tif.json", "a.json", "link"}
    assert all(path.exists() for path in strays)


def test_the_files_of_a_running_job_are_no_orphans(stock):
    job = stock.queue("b")
    prefix = hashlib.sha256(b"the master b").hexdigest()[:8]
    put(stock, f"b.{prefix}-{'f' * 8}.tif")  # named just before its record is committed
    put(stock, f"b.{prefix}-{'f' * 8}.tif.json")
    put(stock, f".saek-job{job}-1.tif")
    assert set(orphans(stock)) == {f".saek-job{job}-1.tif"}
    with stock.database.begin() as s:
        lease = jobs.claim(s, job, "here:1", dt.timedelta(minutes=5))
    assert orphans(stock) == {}
    with stock.database.begin() as s:
        jobs.end_cancelled(s, lease)
    assert orphans(stock) == {
        f"b.{prefix}-{'f' * 8}.tif": "no derivative on record was written there",
        f"b.{prefix}-{'f' * 8}.tif.json": "no derivative on record was written there",
        f".saek-job{job}-1.tif": f"a draft that job:{job} left behind",
    }


def test_many_files_are_read_in_pages_and_all_are_counted(stock, monkeypatch):
    monkeypatch.setattr("worker.fixity.orphans._PAGE", 10)
    monkeypatch.setattr("worker.fixity.orphans._MAX_LISTED", 3)
    for number in range(25):
        put(stock, f"{number}.tif")
    found = find_orphans(stock.database, stock.outbox)
    assert (found.count, len(found.found), found.looked_at) == (25, 3, 25)


def test_a_look_that_is_stopped_says_that_it_is_not_complete(stock, monkeypatch):
    monkeypatch.setattr("worker.fixity.orphans._PAGE", 10)
    for number in range(25):
        put(stock, f"{number}.tif")
    found = find_orphans(stock.database, stock.outbox, lambda looked_at: looked_at < 10)
    assert (found.complete, found.looked_at) == (False, 10)
