"""Column types return the same values on both databases."""

import datetime as dt
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, update
from sqlalchemy.exc import StatementError

from db.core.schema import Scan, Sighting
from db.queue.intake import register

same_database = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def test_times_come_back_aware_and_in_utc(archive):
    seoul = dt.timezone(dt.timedelta(hours=9))
    archive.now = dt.datetime(2026, 11, 22, 18, 0, 0, 123456, tzinfo=seoul)
    job = archive.job(archive.drop().job_id)
    assert job.created_at == archive.now
    assert job.created_at.utcoffset() == dt.timedelta(0)


def test_times_sort_as_time_does(archive):
    moments = [dt.timedelta(0), dt.timedelta(microseconds=1), dt.timedelta(seconds=1), dt.timedelta(days=40)]
    start = archive.now
    for n, moment in enumerate(moments):
        archive.now = start + moment
        archive.drop(f"{n}.tif", str(n))
    with archive.database.read() as s:
        names = s.scalars(select(Sighting.display).order_by(Sighting.first_seen_at)).all()
    assert names == ["0.tif", "1.tif", "2.tif", "3.tif"]


def test_a_time_without_a_zone_is_refused(archive):
    archive.now = dt.datetime(2026, 11, 22, 9, 0)  # noqa: DTZ001 - the mistake under test
    with pytest.raises(StatementError, match="no time zone"):
        archive.drop()


@same_database
@given(written=st.text(st.characters(exclude_categories=[])))
def test_any_text_can_be_stored(archive, written):
    scan_id = archive.drop(job=False).scan_id
    with archive.database.begin() as s:
        s.execute(update(Scan).where(Scan.id == scan_id).values(format=written))
        kept = s.scalars(select(Scan.format).where(Scan.id == scan_id)).one()
    unstorable = {"\x00", *map(chr, range(0xD800, 0xE000))}
    if unstorable.isdisjoint(written):
        assert kept == written
    else:
        assert unstorable.isdisjoint(kept)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats()
    | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@same_database
@given(facts=st.dictionaries(st.text(max_size=5), json_values, max_size=4))
def test_any_json_object_can_be_stored(archive, facts):
    scan_id = archive.drop(job=False).scan_id
    with archive.database.begin() as s:
        s.execute(update(Scan).where(Scan.id == scan_id).values(facts=facts))
        kept = s.scalars(select(Scan.facts).where(Scan.id == scan_id)).one()
    finite = {key: value for key, value in facts.items() if not _is_nan_or_infinite(value)}
    assert {key for key, value in kept.items() if value is not None} == {
        key.replace("\x00", "␀") for key, value in finite.items() if value is not None
    }


def _is_nan_or_infinite(value):
    return isinstance(value, float) and not math.isfinite(value)


def test_values_that_json_lacks_are_replaced(archive):
    record = archive.content()
    odd = {"nan": float("nan"), "exif": "Canon\x00", "icc": b"\x01\xff", "at": dt.date(1950, 6, 25)}
    with archive.database.begin() as s:
        s.execute(insert(Scan).values(sha256=record.sha256, bytes=1, facts=odd, first_seen_at=archive.now))
        facts = s.scalars(select(Scan.facts)).one()
    assert facts == {"nan": None, "exif": "Canon␀", "icc": "01ff", "at": "1950-06-25"}


@pytest.mark.parametrize("inode", [0, 1, 2**63 - 1, 2**63, 2**64 - 1])
def test_inode_numbers_use_all_64_bits(archive, inode):
    with archive.database.begin() as s:
        register(s, archive.seen(inode=inode), archive.content(), None)
        assert s.scalars(select(Sighting.inode)).one() == inode
