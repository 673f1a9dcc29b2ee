"""Batches of items."""

import pytest

from db.core.batches import batches


@pytest.mark.parametrize(
    ("count", "sizes"), [(0, []), (1, [1]), (500, [500]), (501, [500, 1]), (1250, [500, 500, 250])]
)
def test_batches_hold_every_item_once_in_order(count, sizes):
    found = list(batches(iter(range(count))))
    assert [len(batch) for batch in found] == sizes
    assert [item for batch in found for item in batch] == list(range(count))


def test_the_size_of_a_batch_can_be_chosen():
    assert list(batches("abcde", 2)) == [["a", "b"], ["c", "d"], ["e"]]
