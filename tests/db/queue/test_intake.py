"""Intake of files."""

import multiprocessing

from sqlalchemy import select

from db.catalog.quarantine import quarantine_scan
from db.core.schema import Job, Scan, Sighting
from db.queue.intake import quarantine_sighting, register, register_quarantined
from db.queue.jobs import fail, finish
from db.values import MISSING_FILE
from db.vocabulary import JobState


def test_a_new_file_becomes_a_scan_a_sighting_and_a_job(archive):
    made = archive.drop("album/a.tif")
    assert (made.new_scan, made.new_sighting, made.new_job) == (True, True, True)
    assert archive.happened() == [
        "ingestion",
        "message digest calculation",
        "format identification",
        "job queued",
    ]
    assert archive.state(made.job_id) is JobState.QUEUED


def test_the_same_file_again_changes_nothing(archive):
    first = archive.drop()
    events = archive.happened()
    again = archive.drop()
    assert (again.scan_id, again.sighting_id, again.job_id) == (
        first.scan_id,
        first.sighting_id,
        first.job_id,
    )
    assert (again.new_scan, again.new_sighting, again.new_job) == (False, False, False)
    assert archive.happened() == events


def test_the_same_bytes_twice_are_one_scan_and_one_job(archive):
    first = archive.drop("a.tif", "same")
    second = archive.drop("copy of a.tif", "same")
    assert second.scan_id == first.scan_id
    assert second.job_id == first.job_id
    assert second.sighting_id != first.sighting_id
    assert (second.new_scan, second.new_sighting, second.new_job) == (False, True, False)


def test_a_file_can_be_known_without_a_job(archive):
    made = archive.drop(job=False)
    assert made.job_id is None
    assert archive.count(Job) == 0


def test_other_bytes_at_the_same_path_begin_a_new_sighting(archive):
    old = archive.drop("a.tif", "first edition")
    new = archive.drop("a.tif", "second edition")
    assert new.scan_id != old.scan_id
    assert new.new_sighting
    assert archive.count(Sighting, Sighting.superseded_at.is_not(None)) == 1
    assert archive.happened(sighting_id=old.sighting_id)[-1] == "replacement"


def test_a_job_that_waits_for_replaced_bytes_is_cancelled(archive):
    old = archive.drop("a.tif", "first edition")
    archive.drop("a.tif", "second edition")
    job = archive.job(old.job_id)
    assert (job.state, job.failure_code) == (JobState.CANCELLED, "master-changed")


def test_a_job_continues_while_its_bytes_exist_elsewhere(archive):
    old = archive.drop("a.tif", "first edition")
    archive.drop("b.tif", "first edition")
    archive.drop("a.tif", "second edition")
    assert archive.state(old.job_id) is JobState.QUEUED


def test_replaced_bytes_that_come_back_are_queued_again(archive):
    old = archive.drop("a.tif", "first edition")
    archive.drop("a.tif", "second edition")
    back = archive.drop("again.tif", "first edition")
    assert (back.job_id, back.new_job) == (old.job_id, False)
    assert archive.state(old.job_id) is JobState.QUEUED


def test_a_touched_file_keeps_its_sighting_and_gets_its_new_time(archive):
    made = archive.drop()
    with archive.database.begin() as s:
        register(s, archive.seen(mtime_ns=99), archive.content(), None, now=archive.wait(days=1))
        row = s.execute(select(Sighting.id, Sighting.mtime_ns, Sighting.last_seen_at)).one()
    assert tuple(row) == (made.sighting_id, 99, archive.now)


def test_a_missing_scan_is_released_when_its_bytes_return(archive):
    lease = archive.work_on()
    with archive.database.begin() as s:
        fail(s, lease, archive.problem(MISSING_FILE), quarantine=True, now=archive.now)
    assert archive.count(Scan, Scan.problem_code == MISSING_FILE) == 1

    archive.drop("back.tif", "a")
    assert archive.count(Scan, Scan.problem_code.is_not(None)) == 0
    job = archive.job(lease.job_id)
    assert (job.state, job.attempts) == (JobState.QUEUED, 0)
    assert archive.happened(scan_id=lease.scan_id)[-3:] == ["ingestion", "unquarantine", "job queued"]


def test_unusable_bytes_are_quarantined_with_the_reason(archive):
    with archive.database.begin() as s:
        made = register_quarantined(
            s, archive.seen(), archive.content(), archive.problem("already-color"), now=archive.now
        )
        scan = s.scalars(select(Scan)).one()
        assert (scan.problem_code, scan.problem_remedy) == ("already-color", "copy it again")
    assert made.job_id is None
    assert archive.happened()[-1] == "quarantine"


def test_a_quarantined_scan_gets_no_job_and_no_second_event(archive):
    with archive.database.begin() as s:
        register_quarantined(s, archive.seen(), archive.content(), archive.problem(), now=archive.now)
    events = archive.happened()
    recipe = archive.recipe()
    with archive.database.begin() as s:
        register_quarantined(s, archive.seen(), archive.content(), archive.problem(), now=archive.now)
        again = register(s, archive.seen(), archive.content(), recipe, now=archive.now)
    assert (again.job_id, again.new_job) == (None, False)
    assert archive.happened() == events


def test_a_later_intake_fills_in_the_format(archive):
    bare = archive.content()
    with archive.database.begin() as s:
        unknown = type(bare)(sha256=bare.sha256, bytes=bare.bytes)
        register_quarantined(s, archive.seen(), unknown, archive.problem(), now=archive.now)
        register(s, archive.seen(), bare, None, now=archive.now)
        assert s.execute(select(Scan.format, Scan.width)).one() == ("tiff", 2000)
    assert archive.happened().count("format identification") == 2


def test_a_scan_with_a_derivative_is_never_quarantined(archive):
    lease = archive.work_on()
    with archive.database.begin() as s:
        finish(s, lease, archive.derivative(), now=archive.now)
        assert quarantine_scan(s, lease.scan_id, archive.problem(), now=archive.now) is False
    assert archive.count(Scan, Scan.problem_code.is_not(None)) == 0


def test_a_file_that_cannot_be_read_is_on_record_without_a_scan(archive):
    with archive.database.begin() as s:
        sighting_id, new = quarantine_sighting(
            s, archive.seen(), archive.problem("unreadable"), now=archive.now
        )
    assert new
    assert archive.count(Scan) == 0
    assert archive.happened(sighting_id=sighting_id) == ["quarantine"]


def test_the_same_problem_at_each_rescan_writes_no_event(archive):
    for _ in range(3):
        with archive.database.begin() as s:
            _, new = quarantine_sighting(
                s, archive.seen(), archive.problem("unreadable"), now=archive.wait(minutes=5)
            )
    assert not new
    assert archive.happened() == ["quarantine"]


def test_another_problem_of_the_same_file_is_new(archive):
    with archive.database.begin() as s:
        quarantine_sighting(s, archive.seen(size=0), archive.problem("empty-file"), now=archive.now)
        _, new = quarantine_sighting(s, archive.seen(), archive.problem("unreadable"), now=archive.now)
        assert s.scalars(select(Sighting.problem_code)).one() == "unreadable"
    assert new


def test_a_file_that_can_be_read_at_last_is_taken_in(archive):
    with archive.database.begin() as s:
        sighting_id, _ = quarantine_sighting(
            s, archive.seen(), archive.problem("unreadable"), now=archive.now
        )
    made = archive.drop()
    assert made.new_job
    assert archive.happened(sighting_id=sighting_id) == ["quarantine", "replacement"]


def test_a_name_that_is_not_utf_8_is_kept_as_its_bytes(archive):
    with archive.database.begin() as s:
        register(s, archive.seen("caf\udce9.tif"), archive.content(), None, now=archive.now)
        assert s.execute(select(Sighting.path, Sighting.display)).one() == (b"caf\xe9.tif", "caf\\xe9.tif")


def test_a_path_may_be_as_long_as_the_system_allows(archive):
    deep = "/".join(["기록" * 40] * 16)
    made = archive.drop(f"{deep}/a.tif")
    assert archive.drop(f"{deep}/a.tif").sighting_id == made.sighting_id


def test_concurrent_intake_of_the_same_bytes_makes_one_job(archive, url):
    recipe = archive.recipe()
    context = multiprocessing.get_context("fork")
    start = context.Barrier(4)

    def take_in(number):
        start.wait()
        for path in ("same path.tif", f"{number}.tif"):
            with archive.database.begin() as s:
                register(s, archive.seen(path), archive.content(), recipe, now=archive.now)

    processes = [context.Process(target=take_in, args=(number,)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    assert (archive.count(Scan), archive.count(Job), archive.count(Sighting)) == (1, 1, 5)
    assert sorted(archive.happened()) == sorted(
        ["ingestion"] * 5 + ["message digest calculation", "format identification", "job queued"]
    )
