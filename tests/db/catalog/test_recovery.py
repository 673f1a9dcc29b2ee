"""A record is recovered from sidecars: completely, in any order, any number of times."""

import copy
import datetime as dt
import itertools
import json
import shutil
from dataclasses import replace

import pytest
from sqlalchemy import select

from db.catalog.files import list_files
from db.catalog.links import DerivativeName, latest_derivative_paths, recorded_derivatives
from db.catalog.recovery import AddedRows, SidecarStatus, enter_sidecar, sidecar_status
from db.catalog.sidecar_reader import read_sidecar
from db.catalog.sidecars import sidecar_object
from db.core.engine import open_database
from db.core.schema import Derivative, Event, Job, Model, Recipe, Scan, Sighting
from db.errors import BrokenSidecar
from db.queue import jobs
from db.queue.commands import reprocess
from db.queue.intake import register
from db.reports.status import overview
from db.values import NewSighting
from db.vocabulary import FileState, JobState

EVIDENCE = {"sidecar": "a.color.tif.json", "verified": True}


def make(source, name="a.tif", content="a", output=None):
    """Make a derivative and return the JSON object of its sidecar, as read from a file."""
    lease = source.work_on(name, content)
    source.wait(seconds=6)
    with source.database.begin() as s:
        jobs.finish(s, lease, source.derivative(output or f"{name}.color.tif"), now=source.now)
    with source.database.read() as s:
        return json.loads(json.dumps(sidecar_object(s, lease.job_id)))


def name(path):
    return DerivativeName(None, "outbox", path.encode(), path)


def enter(source, told):
    with source.database.begin() as s:
        return enter_sidecar(
            s,
            read_sidecar(told),
            name(told["derivative"]["path"]),
            EVIDENCE,
            now=source.wait(minutes=1),
        )


def columns(source, table, *without):
    keys = [c.name for c in table.__table__.columns if not c.name.endswith("id") and c.name not in without]
    with source.database.read() as s:
        rows = s.execute(select(table.__table__)).mappings().all()
        return sorted((tuple((key, repr(row[key])) for key in keys) for row in rows), key=repr)


def everything(source):
    return {
        Scan: columns(source, Scan, "names_due_at"),
        Sighting: columns(source, Sighting),
        Recipe: columns(source, Recipe),
        Model: columns(source, Model),
        Job: columns(source, Job, "lease_token", "heartbeat_at"),
        Derivative: columns(source, Derivative),
    }


@pytest.fixture
def new_archive(archive, migrated_sqlite, tmp_path):
    """A function that returns another archive with a record of its own."""
    opened = []

    def new_archive():
        path = tmp_path / f"record-{len(opened)}.sqlite3"
        shutil.copy(migrated_sqlite, path)
        opened.append(open_database(f"sqlite:///{path}"))
        return replace(archive, database=opened[-1])

    yield new_archive
    for database in opened:
        database.dispose()


@pytest.fixture
def source(new_archive):
    """The archive whose record is lost; it is recovered into `archive`."""
    return new_archive()


def test_a_lost_record_is_recovered_row_for_row(source, archive):
    told = [make(source, f"album/{n}.tif", str(n)) for n in range(3)]
    assert sum((enter(archive, one) for one in told), AddedRows()) == AddedRows(3, 3, 3, 0, 3)
    assert everything(archive) == everything(source)
    with archive.database.read() as s:
        view = overview(s, now=archive.now)
        assert view.files[FileState.DONE] == 3
        assert {row.display for row in list_files(s)} == {f"album/{n}.tif" for n in range(3)}


def test_entering_twice_changes_nothing(source, archive):
    told = make(source)
    enter(archive, told)
    before, events = everything(archive), archive.count(Event)
    assert enter(archive, told) == AddedRows()
    assert (everything(archive), archive.count(Event)) == (before, events)


def test_events_name_the_recovery_and_the_earlier_history(source, archive):
    told = make(source)
    enter(archive, told)
    assert archive.happened() == ["recovery", "recovery"]
    with archive.database.read() as s:
        detail = s.scalars(select(Event.detail).where(Event.derivative_id.is_not(None))).one()
    assert detail["sidecar"] == "a.color.tif.json"
    assert [event["type"] for event in detail["history"]][:2] == ["ingestion", "message digest calculation"]
    assert dt.datetime.fromisoformat(detail["made_at"]) == source.now


def test_the_order_of_sidecars_does_not_matter(source, archive, new_archive):
    another = new_archive()
    first = make(source, "a.tif", "old")
    source.wait(minutes=1)
    second = make(source, "a.tif", "new", "a.new.color.tif")
    for target, order in ((archive, (first, second)), (another, (second, first))):
        target.now = source.now
        for told in order:
            enter(target, told)
    assert everything(archive) == everything(another)
    with another.database.read() as s:
        live = s.execute(select(Sighting.scan_id).where(Sighting.superseded_at.is_(None))).all()
        contents = s.scalars(select(Scan.sha256).where(Scan.id == live[0][0])).all()
    assert len(live) == 1
    assert contents == [second["scan"]["sha256"]]


def test_recovered_derivatives_are_not_made_again(source, archive):
    told = make(source)
    enter(archive, told)
    with archive.database.begin() as s:
        known = register(
            s,
            archive.seen("a.tif"),
            archive.content("a"),
            s.scalars(select(Recipe.id)).one(),
            now=archive.now,
        )
    assert not known.new_job
    assert archive.state(known.job_id) is JobState.DONE


def test_a_queued_job_with_an_existing_derivative_is_done(source, archive):
    told = make(source)
    waiting = archive.drop("a.tif", "a")
    assert enter(archive, told) == AddedRows(completed=1, derivatives=1)
    assert archive.state(waiting.job_id) is JobState.DONE
    assert enter(archive, told) == AddedRows()


@pytest.mark.parametrize("state", [JobState.RUNNING, JobState.CANCELLED])
def test_a_job_in_another_state_is_left_as_it_is(source, archive, state):
    told = make(source)
    lease = archive.work_on("a.tif", "a")
    if state is JobState.CANCELLED:
        with archive.database.begin() as s:
            jobs.end_cancelled(s, lease, now=archive.now)
    before = everything(archive)
    assert enter(archive, told) == AddedRows()
    assert everything(archive) == before


def test_a_witnessed_sighting_stays_live(source, archive):
    told = make(source, "a.tif", "old")
    archive.drop("a.tif", "new")
    enter(archive, told)
    with archive.database.read() as s:
        live = s.execute(select(Scan.sha256).join(Sighting).where(Sighting.superseded_at.is_(None))).scalars()
        assert list(live) == [archive.content("new").sha256]


def test_two_recipes_on_one_scan_are_two_jobs_of_one_scan(source, archive):
    told = [make(source)]
    recipe = source.recipe(0.5)
    with source.database.begin() as s:
        reprocess(s, [1], recipe, "kim", now=source.now)
    with source.database.read() as s:
        job_id = s.scalars(select(Job.id).order_by(Job.id.desc())).first()
    lease = source.claim(job_id)
    with source.database.begin() as s:
        jobs.finish(s, lease, source.derivative("a.half.tif"), now=source.now)
    with source.database.read() as s:
        told.append(sidecar_object(s, job_id))
    assert told[1]["job"]["requested_by"] == "kim"
    assert enter(archive, told[1]) + enter(archive, told[0]) == AddedRows(1, 1, 2, 0, 2)


def test_a_name_in_any_encoding_is_preserved(source, archive):
    raw = b"\xb0\xad\xb3\xb2.tif"
    seen = NewSighting("inbox", raw, "?.tif", "", 5, 7, 9)
    recipe = source.recipe()
    with source.database.begin() as s:
        job_id = register(s, seen, source.content("a"), recipe, now=source.now).job_id
    lease = source.claim(job_id)
    with source.database.begin() as s:
        jobs.finish(s, lease, source.derivative(), now=source.now)
    with source.database.read() as s:
        told = json.loads(json.dumps(sidecar_object(s, job_id)))
    enter(archive, told)
    with archive.database.read() as s:
        assert s.scalars(select(Sighting.path)).all() == [raw]


def test_the_status_of_a_sidecar_is_read_only(source, archive):
    told = make(source)
    sidecar, place = read_sidecar(told), name("a.tif.color.tif")
    with archive.database.read() as s:
        assert sidecar_status(s, sidecar, place) is SidecarStatus.NEW
    with source.database.read() as s:
        assert sidecar_status(s, sidecar, place) is SidecarStatus.KNOWN
        assert sidecar_status(s, sidecar, name("moved.tif")) is SidecarStatus.UNNAMED
        other = {**sidecar.derivative, "sha256": "0" * 64}
        assert sidecar_status(s, replace(sidecar, derivative=other), name("x.tif")) is SidecarStatus.OTHER
        assert latest_derivative_paths(s) == [b"a.tif.color.tif"]
        assert [name.path for made in recorded_derivatives(s) for name in made.names] == [b"a.tif.color.tif"]


def damaged(told):
    """Yield every change of one value to one of another type, or to none."""
    for part, rows in told.items():
        if part == "events":
            continue
        for row in rows if isinstance(rows, list) else [rows]:
            for name, value in row.items():
                for other in ("x", -(2**70), [], None):
                    if other == value or (isinstance(value, str) and other == "x"):
                        continue
                    yield part, name, other


def test_no_damaged_value_enters_the_record(source, archive):
    told = make(source)
    tried = refused = 0
    for part, name, other in damaged(told):
        bad = copy.deepcopy(told)
        row = bad[part][0] if isinstance(bad[part], list) else bad[part]
        row[name] = other
        tried += 1
        try:
            read_sidecar(bad)
        except BrokenSidecar:
            refused += 1
    assert tried > 150
    assert refused > 0.8 * tried  # the rest are columns that may be archive


@pytest.mark.parametrize("path", ["../a.tif", "/etc/a.tif", "a/../../b.tif", "a\0.tif", ""])
def test_a_path_outside_its_root_is_rejected(source, path):
    told = make(source)
    for row in (told["derivative"], told["sightings"][0]):
        bad = dict(row)
        row["path"] = path
        with pytest.raises(BrokenSidecar, match="path"):
            read_sidecar(told)
        row.update(bad)
    read_sidecar(told)


@pytest.mark.parametrize("told", [None, [], {}, {"scan": {}}, {"sightings": {}, "events": []}])
def test_other_json_is_not_a_sidecar(told):
    with pytest.raises(BrokenSidecar):
        read_sidecar(told)


def test_counts_add_up():
    parts = [AddedRows(1, 2, 3, 4, 5, 6)] * 3
    assert list(itertools.accumulate(parts))[-1] == AddedRows(3, 6, 9, 12, 15, 18)
