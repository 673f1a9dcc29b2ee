"""Sightings: known, changed, gone and back."""

import datetime as dt
from hashlib import sha256

import pytest
from sqlalchemy import text

from db.catalog.sightings import known_sightings, mark_gone, possibly_gone


@pytest.fixture
def names(archive):
    names = ["a.tif", "b/1.tif", "b/2.tif", "b0.tif", "가족/사진.tif"]
    for name in reversed(names):
        archive.drop(name, name, job=False)
    return names


def digest(name):
    return sha256(name.encode()).digest()


def left(archive, root="inbox", after=0, limit=100):
    with archive.database.read() as s:
        return possibly_gone(s, root, archive.now + dt.timedelta(seconds=1), after, limit)


def go(archive, *names, before=None):
    """Mark files as gone by name, unless they were seen since `before`."""
    with archive.database.begin() as s:
        ids = [place.id for place in known_sightings(s, "inbox", [digest(name) for name in names])]
        return mark_gone(s, ids, before or archive.wait(seconds=1), now=archive.now)


def test_paths_are_distinguished_by_their_digests(archive, names):
    with archive.database.read() as s:
        known = known_sightings(s, "inbox", [digest(name) for name in ("never.tif", *names[:3])])
        assert known_sightings(s, "elsewhere", [digest(name) for name in names]) == []
        assert known_sightings(s, "inbox", []) == []
    assert {place.path_sha256 for place in known} == {digest(name) for name in names[:3]}


def test_a_known_sighting_has_what_was_last_seen(archive):
    made = archive.drop()
    with archive.database.read() as s:
        assert known_sightings(s, "inbox", [digest("a.tif")]) == [
            (made.sighting_id, digest("a.tif"), 1000, 1, False, None)
        ]


def test_a_replaced_file_is_known_once_as_it_is_now(archive):
    archive.drop("a.tif", "old", job=False)
    new = archive.drop("a.tif", "new", job=False)
    with archive.database.read() as s:
        (place,) = known_sightings(s, "inbox", [digest("a.tif")])
    assert place.id == new.sighting_id
    assert [place for place, _ in left(archive)] == [new.sighting_id]


def test_possibly_gone_files_come_in_ordered_pages(archive, names):
    first = left(archive, limit=3)
    rest = left(archive, after=first[-1][0])
    assert [path for _, path in first + rest] == [digest(name) for name in reversed(names)]
    assert left(archive, "elsewhere") == []


def test_a_page_of_possibly_gone_files_reads_no_others(archive, names, monkeypatch):
    if archive.database.dialect != "sqlite":
        return  # PostgreSQL plans by what it knows of the rows
    plans = []
    with archive.database.read() as s:
        real = s.execute

        def execute(query):
            words = str(query.compile(s.connection(), compile_kwargs={"literal_binds": True}))
            plans.extend(row.detail for row in real(text(f"EXPLAIN QUERY PLAN {words}")))
            return real(query)

        monkeypatch.setattr(s, "execute", execute)
        possibly_gone(s, "inbox", archive.now, 0, 2)
    assert plans == ["SEARCH sighting USING INTEGER PRIMARY KEY (rowid>?)"]


def test_gone_and_recently_seen_files_are_not_possibly_gone(archive, names):
    go(archive, *names[1:])
    assert [path for _, path in left(archive)] == [digest(names[0])]
    with archive.database.read() as s:
        assert possibly_gone(s, "inbox", archive.now - dt.timedelta(seconds=1), 0, 100) == []


def test_a_path_returns_its_known_sighting(archive):
    archive.drop()
    with archive.database.read() as s:
        (known,) = known_sightings(s, "inbox", [digest("a.tif"), digest("b.tif")])
        assert known[1:] == (digest("a.tif"), 1000, 1, False, None)


def test_a_missing_file_is_marked_gone_once(archive, names):
    assert go(archive, "a.tif", "b0.tif", "never.tif") == 2
    assert go(archive, "a.tif") == 0
    assert archive.known("a.tif").gone
    assert archive.happened().count("disappearance") == 2


def test_a_file_that_another_has_just_seen_is_not_marked(archive):
    archive.drop()
    assert go(archive, "a.tif", before=archive.now) == 0
    assert archive.happened().count("disappearance") == 0


def test_a_file_that_comes_back_is_no_longer_gone(archive):
    made = archive.drop()
    go(archive, "a.tif")
    assert archive.drop().sighting_id == made.sighting_id
    assert not archive.known("a.tif").gone
    assert archive.happened(sighting_id=made.sighting_id)[-2:] == ["disappearance", "reappearance"]
