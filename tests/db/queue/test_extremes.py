"""Extreme values from outside are stored, or clamped to the end of their range."""

import datetime as dt
import math

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from db.catalog.files import list_files
from db.catalog.surveys import RefusedFolder, SurveyRecord, last_survey, record_survey
from db.core.schema import Event, Scan, Sighting
from db.queue.intake import quarantine_sighting, register, register_quarantined
from db.queue.jobs import fail
from db.values import NewScan, NewSighting, Problem, kept_ns

same_database = settings(
    max_examples=40,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to look for the least example takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

any_text = st.text(st.characters(exclude_categories=[]), max_size=40)
any_number = st.floats(allow_nan=True, allow_infinity=True)
any_value = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | any_number | any_text | st.binary()
seconds = st.integers(-(2**63), 2**63 - 1)

seen = st.builds(
    NewSighting,
    root=st.just("inbox"),
    path=st.binary(min_size=1, max_size=4095),
    display=any_text,
    collection=any_text,
    size=st.integers(0, 2**63 - 1),
    mtime_ns=seconds.map(lambda s: s * 10**9 + 999_999_999),
    inode=st.integers(0, 2**64 - 1),
)
record = st.builds(
    NewScan,
    sha256=st.binary(min_size=32, max_size=32).map(bytes.hex),
    bytes=st.integers(0, 2**63 - 1),
    format=st.none() | any_text,
    width=st.integers(1, 2**31 - 1),
    height=st.integers(1, 2**31 - 1),
    bands=st.integers(1, 65535),
    bit_depth=st.integers(1, 64),
    orientation=st.integers(1, 8),
    icc_sha256=st.none(),
    dpi=st.none() | any_number,
    facts=st.dictionaries(any_text, any_value | st.lists(any_value, max_size=2), max_size=4),
)
problem = st.builds(Problem, code=any_text, reason=any_text, remedy=any_text)


@same_database
@given(seen=seen, record=record)
def test_any_header_of_a_file_can_be_registered(archive, seen, record):
    recipe = archive.recipe()
    with archive.database.begin() as s:
        done = register(s, seen, record, recipe)
    with archive.database.read() as s:
        row = s.execute(
            select(Sighting.path, Sighting.size, Sighting.mtime_ns, Sighting.inode, Scan.dpi, Scan.width)
            .join(Scan, Scan.id == Sighting.scan_id)
            .where(Sighting.id == done.sighting_id)
        ).one()
        assert any(file.sighting_id == done.sighting_id for file in list_files(s))
    assert (row.path, row.size, row.inode) == (seen.path, seen.size, seen.inode)
    assert row.mtime_ns == min(max(seen.mtime_ns, -(2**63)), 2**63 - 1)
    if done.new_scan:
        assert row.dpi == (record.dpi if record.dpi is not None and math.isfinite(record.dpi) else None)


@same_database
@given(seen=seen, record=record, problem=problem)
def test_any_problem_of_a_file_can_be_stored(archive, seen, record, problem):
    with archive.database.begin() as s:
        sighting_id, _ = quarantine_sighting(s, seen, problem)
        registered = register_quarantined(s, seen, record, problem)
    with archive.database.read() as s:
        told = s.scalars(select(Event.id).where(Event.sighting_id == sighting_id)).all()
        assert told
        assert s.scalars(select(Scan.problem_code).where(Scan.id == registered.scan_id)).one() is not None


@pytest.mark.parametrize("year", [1, 1601, 1677, 2262, 2300, 2446, 9999, 292_277_026_596])
def test_a_file_of_any_year_is_known_at_the_next_rescan(archive, year):
    written = int((year - 1970) * 365.2425) * 86400 * 10**9
    for _ in range(2):
        with archive.database.begin() as s:
            _, new = quarantine_sighting(s, archive.seen(mtime_ns=written), archive.problem())
    assert not new
    with archive.database.read() as s:
        assert s.scalars(select(Sighting.mtime_ns)).one() == kept_ns(written)


def test_an_attempt_may_fail_for_a_reason_in_any_words(archive):
    lease = archive.work_on()
    with archive.database.begin() as s:
        fail(s, lease, Problem("x" * 5000, "\x00\ud800" * 3000, "마을\x1b[31m" * 3000), quarantine=True)


@same_database
@given(names=st.lists(any_text, max_size=3), seconds=st.floats(0, 1e12), sidecars=st.integers(0, 2**40))
def test_a_survey_is_stored_with_its_text_escaped(archive, names, seconds, sidecars):
    survey = SurveyRecord(
        taken_at=dt.datetime(2026, 11, 28, tzinfo=dt.UTC),
        files=1,
        unknown=1,
        sidecars=sidecars,
        conflict_copies=len(names),
        conflicts=tuple(names),
        refused_folders=len(names),
        refused=tuple(RefusedFolder(name, "no right", "give it") for name in names),
        seconds=seconds,
    )
    with archive.database.begin() as s:
        record_survey(s, survey)
    with archive.database.read() as s:
        kept = last_survey(s)
    assert kept is not None
    assert (kept.taken_at, kept.sidecars, kept.seconds) == (survey.taken_at, sidecars, seconds)
    assert len(kept.refused) == len(kept.conflicts) == len(names)
