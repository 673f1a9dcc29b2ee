from hypothesis import given
from hypothesis import strategies as st

from worker.inbox.bitmap import Bitmap

numbers = st.integers(0, 100_000)


@given(st.lists(numbers), st.lists(numbers))
def test_it_holds_what_was_put_in_and_nothing_else(put: list[int], asked: list[int]) -> None:
    marks = Bitmap()
    for number in put:
        marks.add(number)
    assert [number in marks for number in put + asked] == [number in put for number in put + asked]


def test_a_million_numbers_take_at_most_150_kilobytes() -> None:
    marks = Bitmap()
    for number in range(1_000_000):
        marks.add(number)
    assert len(marks._bits) < 150_000
