from hashlib import sha256

import pytest
from sqlalchemy import insert, select

from db.schema import Sighting
from db.sightings import find_sighting, known_places, mark_gone


@pytest.fixture
def names(archive):
    names = ["a.tif", "b/1.tif", "b/2.tif", "b0.tif", "가족/사진.tif"]
    for name in reversed(names):
        archive.drop(name, name, job=False)
    return names


def digests(archive):
    with archive.database.read() as s:
        return sorted(place.path_sha256 for place in known_places(s, "inbox"))


def test_every_known_path_is_told_by_its_digest(archive, names):
    assert digests(archive) == sorted(sha256(name.encode()).digest() for name in names)


def test_a_known_place_tells_what_was_last_seen_there(archive):
    archive.drop()
    with archive.database.read() as s:
        assert list(known_places(s, "inbox")) == [(sha256(b"a.tif").digest(), 1000, 1, False, None)]


def test_another_root_is_another_place(archive, names):
    with archive.database.read() as s:
        assert list(known_places(s, "elsewhere")) == []


def test_more_files_than_fit_a_page_all_come(archive):
    first = archive.drop("0000.tif", job=False)
    with archive.database.begin() as s:
        row = s.execute(select(Sighting.__table__).where(Sighting.id == first.sighting_id)).one()._asdict()
        row.pop("id")
        s.execute(
            insert(Sighting),
            [{**row, "path": b"%04d.tif" % n, "path_sha256": n.to_bytes(32, "big")} for n in range(1, 5100)],
        )
    others = [n.to_bytes(32, "big") for n in range(1, 5100)]
    assert digests(archive) == sorted([sha256(b"0000.tif").digest(), *others])


def test_a_replaced_file_is_known_once_as_it_is_now(archive):
    archive.drop("a.tif", "old", job=False)
    archive.drop("a.tif", "new", job=False)
    assert digests(archive) == [sha256(b"a.tif").digest()]


def test_a_path_tells_what_was_last_seen_there(archive):
    archive.drop()
    with archive.database.read() as s:
        assert find_sighting(s, "inbox", b"a.tif") == (b"a.tif", 1000, 1, False, None)
        assert find_sighting(s, "inbox", b"b.tif") is None


def test_a_file_that_went_is_marked_once(archive, names):
    with archive.database.begin() as s:
        assert mark_gone(s, "inbox", [b"a.tif", b"b0.tif", b"never.tif"], now=archive.now) == 2
        assert mark_gone(s, "inbox", [b"a.tif"], now=archive.now) == 0
        assert find_sighting(s, "inbox", b"a.tif").gone
    assert archive.happened().count("disappearance") == 2


def test_a_file_that_comes_back_is_no_longer_gone(archive):
    made = archive.drop()
    with archive.database.begin() as s:
        mark_gone(s, "inbox", [b"a.tif"], now=archive.now)
    assert archive.drop().sighting_id == made.sighting_id
    with archive.database.read() as s:
        assert not find_sighting(s, "inbox", b"a.tif").gone
    assert archive.happened(sighting_id=made.sighting_id)[-2:] == ["disappearance", "reappearance"]
