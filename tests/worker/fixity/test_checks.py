import os
import shutil
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from db.audit.due_checks import Due
from db.core.schema import Event
from db.values import utcnow
from db.vocabulary import EventType, Finding, Holding
from worker.fixity.checks import Budget
from worker.fixity.reading import RateLimit
from worker.fixity.remedies import remedy


def damage(path: Path, *, keep_time: bool = True) -> None:
    """Turn one bit of a file over."""
    status, content = path.stat(), bytearray(path.read_bytes())
    content[3] ^= 1
    with path.open("r+b") as file:
        file.write(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + (0 if keep_time else 1)))


def findings(found):
    return {check.file.display: check.finding for check in found}


def test_what_is_as_recorded_is_intact(stock):
    stock.add("a")
    stock.add("1950/b")
    tally, found = stock.check()
    assert set(findings(found).values()) == {Finding.INTACT}
    assert (tally.files, tally.not_intact, tally.stopped) == (4, 0, None)
    assert tally.bytes == sum(check.file.bytes for check in found)


def test_each_way_of_being_amiss_is_told_apart(stock):
    files = {name: stock.add(name) for name in ("rot", "edited", "touched", "made-rot", "lost", "linked")}
    damage(files["rot"][0])
    damage(files["edited"][0], keep_time=False)
    os.utime(files["touched"][0], ns=(0, 0))
    damage(files["made-rot"][1], keep_time=False)
    for file in files["lost"]:
        file.unlink()
    files["linked"][1].unlink()
    files["linked"][1].symlink_to(files["linked"][0])
    tally, found = stock.check()
    amiss = {check.file.display: check.finding for check in found if check.finding is not Finding.INTACT}
    name = {label: os.fspath(files[label][1].relative_to(stock.outbox)) for label in files}
    assert amiss == {
        "rot.tif": Finding.CHANGED,
        "edited.tif": Finding.REWRITTEN,
        name["made-rot"]: Finding.CHANGED,
        "lost.tif": Finding.MISSING,
        name["lost"]: Finding.MISSING,
        name["linked"]: Finding.CHANGED,
    }
    assert tally.not_intact == 6
    with stock.database.read() as s:
        events = s.scalars(select(Event).where(Event.type == EventType.FIXITY_CHECK)).all()
    assert len(events) == 12
    assert sorted(event.outcome for event in events) == ["fail"] * 5 + ["success"] * 6 + ["warning"]


def test_an_unreadable_file_is_due_again_next_time(stock):
    stock.add("a")
    stock.add("1950/b")
    shutil.move(stock.outbox / "1950", stock.outbox.parent / "elsewhere")
    (stock.outbox / "1950").symlink_to(stock.outbox.parent / "elsewhere")
    tally, _ = stock.check()
    assert tally.counts[Holding.DERIVATIVE][Finding.UNREADABLE] == 1
    recent = Due(utcnow(), unless_since=utcnow().replace(year=2000))
    (stock.outbox / "1950").unlink()
    shutil.move(stock.outbox.parent / "elsewhere", stock.outbox / "1950")
    _, found = stock.check(due=recent)
    assert list(findings(found).values()) == [Finding.INTACT]


def test_a_run_that_was_stopped_goes_on_with_the_next(stock):
    for number in range(4):
        stock.add(str(number))
    begun = stock.due()
    first, found = stock.check(Budget(files=3))
    assert (first.files, first.stopped) == (3, "limit")
    second, more = stock.check(Budget(files=5))
    assert second.stopped is None or second.files == 5
    assert [check.file.display for check in (*found, *more)] == begun
    assert stock.due() == begun


def test_the_budget_of_time_lets_the_file_at_hand_be_finished(stock):
    for number in range(4):
        stock.add(str(number))
    until, begun = time.monotonic() + 1, []

    def begin(held):
        begun.append(held)
        if len(begun) == 2:
            time.sleep(max(0.0, until - time.monotonic()))

    tally, _ = stock.check(Budget(until=until), begin=begin)
    assert (tally.files, tally.stopped) == (2, "seconds")
    tally, _ = stock.check(Budget(until=time.monotonic() - 1))
    assert (tally.files, tally.stopped) == (0, "seconds")


def test_an_interruption_loses_only_the_file_that_was_being_read(stock):
    for number in range(4):
        stock.add(str(number))
    begun = stock.due()

    def interrupt(held):
        if held.display == begun[3]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stock.check(begin=interrupt)
    assert stock.due()[:5] == begun[3:]


def test_the_pace_holds_over_all_files(stock):
    for number in range(6):
        stock.add(str(number))
    began = time.monotonic()
    tally, _ = stock.check(pace=RateLimit(200))  # bytes a second; half a second of them pass at once
    assert time.monotonic() - began > tally.bytes / 200 - 0.6


@pytest.mark.parametrize("away", ["unmounted", "gone"])
def test_a_folder_that_is_away_makes_no_file_missing(stock, away):
    stock.add("a")
    stock.outbox.rename(stock.outbox.with_name("share"))
    if away == "unmounted":
        stock.outbox.mkdir()
    tally, found = stock.check()
    assert findings(found) == {"a.tif": Finding.INTACT}
    assert list(tally.away) == ["outbox"]
    assert len(stock.due()) == 2


def test_a_folder_that_goes_away_makes_no_file_missing(stock):
    for name in "abc":
        stock.add(name)

    def unmount(held):
        if held.holding is Holding.DERIVATIVE and held.display.startswith("b"):
            stock.outbox.rename(stock.outbox.with_name("share"))
            stock.outbox.mkdir()

    tally, found = stock.check(begin=unmount)
    assert set(findings(found).values()) == {Finding.INTACT}
    assert (tally.files, list(tally.away)) == (4, ["outbox"])


def test_an_inbox_that_the_rescan_saw_emptied_is_not_away(stock, take_away):
    master, _ = stock.add("a")
    master.unlink()
    with stock.database.begin() as s:
        take_away(s, b"a.tif")
    tally, found = stock.check()
    assert findings(found)["a.tif"] is Finding.MISSING
    assert tally.away == {}


def test_each_finding_has_a_remedy(stock, take_away):
    files = {name: stock.add(name) for name in ("rot", "edited", "lost", "alone")}
    damage(files["rot"][0])
    damage(files["rot"][1])
    damage(files["edited"][0], keep_time=False)
    files["lost"][0].unlink()
    for file in files["alone"]:
        file.unlink()
    with stock.database.begin() as s:
        take_away(s, b"alone.tif")
    _, found = stock.check()
    with stock.database.read() as s:
        told = {(c.file.holding, c.file.display.partition(".")[0]): remedy(s, c) for c in found}
    assert "Saek keeps no copy of a master" in told[Holding.MASTER, "rot"]
    assert "the rescan registers it as new" in told[Holding.MASTER, "edited"]
    assert "put it back into the inbox" in told[Holding.MASTER, "lost"]
    assert told[Holding.DERIVATIVE, "rot"].endswith(
        "make it again beside it: saek reprocess file:1 --model archive-1 --preset fast --strength 0.5 "
        "--warmth 0.25 --format tiff --pyramid"
    )
    assert told[Holding.DERIVATIVE, "alone"].endswith("only once its master is back")
