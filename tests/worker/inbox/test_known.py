"""Files are told from known ones by what little is kept of each."""

from hashlib import sha256

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from db.values import KnownPlace
from worker.inbox.known import KnownPlaces
from worker.inbox.walk import Entry

names = st.binary(min_size=1, max_size=12)


def place(path: bytes, size: int | None = 1, *, gone: bool = False, code: str | None = None) -> KnownPlace:
    return KnownPlace(sha256(path).digest(), size, None if size is None else 7, gone, code)


def entry(path: bytes, size: int = 1) -> Entry:
    return Entry(path, size, 7, 0, regular=True)


@given(known=st.dictionaries(names, st.integers(0, 3)), there=st.dictionaries(names, st.integers(0, 3)))
def test_it_answers_as_a_dictionary_would(known: dict[bytes, int], there: dict[bytes, int]) -> None:
    places = KnownPlaces(place(path, size) for path, size in known.items())

    news = [one.path for one in places.news(entry(path, size) for path, size in there.items())]

    assert news == [path for path, size in there.items() if known.get(path) != size]
    assert set(places.missing()) == {sha256(path).digest() for path in set(known) - set(there)}


def test_what_is_back_is_news_and_what_stays_away_is_not_missed_twice() -> None:
    places = KnownPlaces([place(b"back", gone=True), place(b"away", gone=True)])

    assert [one.path for one in places.news([entry(b"back")])] == [b"back"]
    assert places.missing() == []


def test_a_file_that_must_be_looked_at_anew_is_news() -> None:
    places = KnownPlaces([place(b"a", None)])

    assert [one.path for one in places.news([entry(b"a")])] == [b"a"]


def test_an_unreadable_file_is_news_each_time_but_no_change() -> None:
    places = KnownPlaces([place(b"a", code="unreadable-file")])

    assert [one.path for one in places.news([entry(b"a")])] == [b"a"]
    assert list(places.changes([entry(b"a")])) == []


def test_a_digest_that_ends_in_zeros_comes_back_whole() -> None:
    digest = bytes(range(1, 16)) + b"\0" + bytes(range(1, 15)) + b"\0\0"
    places = KnownPlaces([KnownPlace(digest, 1, 7, gone=False, problem_code=None)])

    assert places.missing() == [digest]


def test_a_place_takes_few_bytes() -> None:
    places = KnownPlaces(place(str(number).encode()) for number in range(20_000))

    assert places._rows.nbytes <= 20_000 * 50
    assert isinstance(places._rows, np.ndarray)
