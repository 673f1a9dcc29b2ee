"""Files due for a fixity check, and the entering of findings."""

import datetime as dt

import pytest
from sqlalchemy import func, select

from db.audit.due_checks import (
    Due,
    amount_due,
    choose_files,
    due_files,
)
from db.audit.fixity import (
    FileCheck,
    check_summary,
    forget_future_checks,
    recipe_and_master,
    record_checks,
)
from db.audit.orphans import is_running, is_unfinished, known_derivatives
from db.catalog.selection import Selection
from db.core import schema
from db.queue.intake import register
from db.queue.jobs import finish
from db.vocabulary import EventType, Finding, Holding, Outcome

BOTH = (Holding.MASTER, Holding.DERIVATIVE)
DAY = dt.timedelta(days=1)


def make(archive, name, content=None, sha256="d" * 64):
    """Drop a file and color it; return its derivative's path."""
    lease = archive.work_on(f"{name}.tif", content or name)
    with archive.database.begin() as s:
        finish(s, lease, archive.derivative(f"{name}.color.tif", sha256=sha256), now=archive.now)
    return f"{name}.color.tif"


def due(archive, **options):
    return Due(archive.wait(seconds=1), **options)


def names(archive, holdings=BOTH, asked=None, chosen=None):
    return [held.display for held in due_files(archive.database, holdings, asked or due(archive), chosen)]


def check(archive, *found, at=None):
    """Enter findings, as (name, finding), dated now."""
    files = {held.display: held for held in due_files(archive.database, BOTH, due(archive))}
    checks = [FileCheck(files[name], finding, sha256=files[name].sha256) for name, finding in found]
    with archive.database.begin() as s:
        record_checks(s, checks, now=at or archive.now)


def test_unchecked_files_come_in_order_of_id(archive):
    for name in ("a", "b"):
        make(archive, name)
    assert names(archive) == ["a.tif", "a.color.tif", "b.tif", "b.color.tif"]
    assert names(archive, [Holding.DERIVATIVE]) == ["a.color.tif", "b.color.tif"]


def test_the_longest_unchecked_files_come_first(archive):
    for name in "abc":
        make(archive, name)
    check(archive, ("a.tif", Finding.INTACT), ("c.color.tif", Finding.INTACT))
    archive.wait(days=1)
    check(archive, ("b.tif", Finding.INTACT))
    assert names(archive) == ["a.color.tif", "b.color.tif", "c.tif", "a.tif", "c.color.tif", "b.tif"]


def test_many_pages_yield_every_file_once(archive, monkeypatch):
    monkeypatch.setattr("db.audit.due_checks._PAGE", 3)
    for number in range(10):
        make(archive, str(number))
    for group in (range(4), range(4, 8)):  # two dates, and some that share one
        archive.wait(days=1)
        check(archive, *((f"{number}.tif", Finding.INTACT) for number in group))
    found = names(archive)
    assert len(found) == len(set(found)) == 20
    assert [name for name in found if "color" not in name] == [f"{n}.tif" for n in (8, 9, *range(8))]
    with archive.database.read() as s:
        chosen = choose_files(s, Selection(all=True))
    assert names(archive, chosen=chosen) == found


def test_a_file_checked_in_a_run_is_not_due_again(archive):
    for name in "abc":
        make(archive, name)
    asked, seen = due(archive), []
    for held in due_files(archive.database, BOTH, asked):
        seen.append(held.display)
        with archive.database.begin() as s:
            record_checks(s, [FileCheck(held, Finding.CHANGED)], now=archive.wait(seconds=1))
    assert len(seen) == 6
    assert names(archive, asked=asked) == []


def test_files_are_due_by_age_or_if_they_were_not_intact(archive):
    for name in "abcd":
        make(archive, name)
    everything = [f"{name}.{kind}" for name in "abcd" for kind in ("tif", "color.tif")]
    check(archive, *((name, Finding.INTACT) for name in everything if name not in {"a.tif", "b.color.tif"}))
    check(archive, ("a.tif", Finding.UNREADABLE), ("b.color.tif", Finding.MISSING))
    archive.wait(days=10)
    asked = due(archive, unless_since=archive.now - 30 * DAY)
    assert names(archive, asked=asked) == ["a.tif", "b.color.tif"]
    with archive.database.read() as s:
        assert [amount_due(s, kind, asked).files for kind in BOTH] == [1, 1]
        assert amount_due(s, Holding.MASTER, due(archive)).bytes == 4 * 1000
    archive.wait(days=30)
    assert len(names(archive, asked=due(archive, unless_since=archive.now - 30 * DAY))) == 8


def test_masters_that_left_are_missing_unless_found_elsewhere(archive, take_away):
    for name in ("left", "moved"):
        make(archive, name)
    with archive.database.begin() as s:
        register(s, archive.seen("moved/here.tif"), archive.content("moved"), None, now=archive.now)
        take_away(s, b"left.tif", b"moved.tif", now=archive.now)
    assert names(archive, [Holding.MASTER]) == ["left.tif", "moved/here.tif"]
    assert names(archive, [Holding.MASTER], due(archive, gone=False)) == ["moved/here.tif"]


def test_a_missing_master_that_left_is_due_only_by_age(archive, take_away):
    make(archive, "a")
    with archive.database.begin() as s:
        take_away(s, b"a.tif", now=archive.now)
    check(archive, ("a.tif", Finding.MISSING), ("a.color.tif", Finding.MISSING))
    recent = due(archive, unless_since=archive.now - DAY)
    assert names(archive, asked=recent) == ["a.color.tif"]
    with archive.database.read() as s:
        assert check_summary(s, Holding.MASTER).findings[Finding.MISSING] == 1
        assert check_summary(s, Holding.MASTER, gone=False).files == 0


def test_replaced_and_unhashed_files_are_not_due(archive):
    make(archive, "a")
    archive.drop("a.tif", "other bytes", job=False)
    held = list(due_files(archive.database, [Holding.MASTER], due(archive)))
    assert [(one.display, one.sha256) for one in held] == [("a.tif", archive.content("other bytes").sha256)]


def test_a_check_is_one_event_and_dates_the_file(archive):
    make(archive, "a")
    held = {one.holding: one for one in due_files(archive.database, BOTH, due(archive))}
    master, derivative = held[Holding.MASTER], held[Holding.DERIVATIVE]
    with archive.database.begin() as s:
        record_checks(
            s,
            [
                FileCheck(master, Finding.INTACT, None, master.sha256, master.bytes),
                FileCheck(derivative, Finding.CHANGED, "it is shorter", "f" * 64, 7),
            ],
            now=archive.now,
        )
    with archive.database.read() as s:
        events = s.scalars(
            select(schema.Event).where(schema.Event.type == EventType.FIXITY_CHECK).order_by(schema.Event.id)
        ).all()
        assert s.scalars(select(schema.Sighting.fixity)).one() is Finding.INTACT
        assert s.scalars(select(schema.Derivative.fixity_at)).one() == archive.now
    intact, changed = events
    assert (intact.outcome, intact.sighting_id, intact.derivative_id) == (Outcome.SUCCESS, master.id, None)
    assert intact.detail == {
        "finding": "intact",
        "algorithm": "sha256",
        "expected": master.sha256,
        "found": master.sha256,
    }
    assert (changed.outcome, changed.sighting_id, changed.derivative_id) == (
        Outcome.FAIL,
        None,
        derivative.id,
    )
    assert changed.detail == {
        "finding": "changed",
        "algorithm": "sha256",
        "expected": derivative.sha256,
        "found": "f" * 64,
        "expected_bytes": 18_000_000,
        "found_bytes": 7,
        "reason": "it is shorter",
    }


def test_the_summary_counts_the_last_checks(archive):
    for name in "abc":
        make(archive, name)
    check(archive, ("a.tif", Finding.CHANGED))
    first = archive.now
    archive.wait(days=1)
    check(archive, ("a.tif", Finding.INTACT), ("b.tif", Finding.MISSING), at=first + DAY)
    with archive.database.read() as s:
        stand = check_summary(s, Holding.MASTER)
        assert check_summary(s, Holding.DERIVATIVE).unchecked == 3
    assert (stand.files, stand.unchecked, stand.oldest) == (3, 1, first + DAY)
    assert stand.findings == {**dict.fromkeys(Finding, 0), Finding.INTACT: 1, Finding.MISSING: 1}


def test_a_check_dated_in_the_future_is_cleared(archive):
    make(archive, "a")
    check(archive, ("a.tif", Finding.INTACT), at=archive.now + 400 * DAY)
    assert names(archive, [Holding.MASTER]) == []
    with archive.database.begin() as s:
        assert forget_future_checks(s, now=archive.now) == 1
        assert forget_future_checks(s, now=archive.now) == 0
    assert names(archive, [Holding.MASTER]) == ["a.tif"]


def test_selected_files_include_their_derivatives(archive):
    make(archive, "x/a")
    make(archive, "b")
    with archive.database.read() as s:
        chosen = choose_files(s, Selection(collections=("x",)))
    assert names(archive, chosen=chosen) == ["x/a.tif", "x/a.color.tif"]
    with archive.database.read() as s:
        assert amount_due(s, Holding.DERIVATIVE, due(archive), chosen[Holding.DERIVATIVE]).files == 1


def test_recipe_and_master_of_a_derivative_are_known(archive, take_away):
    make(archive, "a")
    with archive.database.read() as s:
        (derivative,) = s.scalars(select(schema.Derivative.id))
        assert recipe_and_master(s, derivative) == (
            {"strength": 1.0},
            s.scalar(select(func.min(schema.Sighting.id))),
        )
    with archive.database.begin() as s:
        take_away(s, b"a.tif", now=archive.now)
    with archive.database.read() as s:
        assert recipe_and_master(s, derivative)[1] is None


def test_files_of_derivatives_and_running_jobs_are_no_orphans(archive):
    known = make(archive, "a")
    lease = archive.work_on("b.tif", "b")
    sha256, fingerprint = archive.content("b").sha256, f"{100:064x}"
    with archive.database.read() as s:
        assert known_derivatives(s, "outbox", [known.encode(), b"stray.tif"]) == {known.encode()}
        assert known_derivatives(s, "elsewhere", [known.encode()]) == set()
        assert is_unfinished(s, sha256[:8], fingerprint[:8])
        assert not is_unfinished(s, sha256[:8], "ffffffff")
        assert not is_unfinished(s, archive.content("a").sha256[:8], fingerprint[:8])
        assert is_running(s, lease.job_id)
    with archive.database.begin() as s:
        finish(s, lease, archive.derivative("b.color.tif"), now=archive.now)
    with archive.database.read() as s:
        assert not is_running(s, lease.job_id)
        assert not is_unfinished(s, sha256[:8], fingerprint[:8])


@pytest.mark.parametrize("finding", [Finding.CHANGED, Finding.REWRITTEN])
def test_a_master_that_turns_out_intact_again_is_so_on_record(archive, finding):
    make(archive, "a")
    check(archive, ("a.tif", finding))
    archive.wait(days=1)
    check(archive, ("a.tif", Finding.INTACT))
    with archive.database.read() as s:
        assert check_summary(s, Holding.MASTER).findings[Finding.INTACT] == 1
