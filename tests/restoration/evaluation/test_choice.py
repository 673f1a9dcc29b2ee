"""Which pictures are shown."""

from types import SimpleNamespace

import pytest

from restoration.evaluation.choice import evenly_spaced, worst_and_best


def picture(name: str, error: float, gray: float = 0.1) -> SimpleNamespace:
    def made(value: float) -> SimpleNamespace:
        return SimpleNamespace(figures=SimpleNamespace(chroma_l1=value))

    return SimpleNamespace(name=name, gray=made(gray), models={"m": made(error)})


def test_worst_and_best_go_by_what_gray_would_have_cost() -> None:
    found = [
        picture("a", 0.2),
        picture("b", 0.05),
        picture("c", 0.3, gray=0.35),
        picture("d", 0.01, gray=0.2),
    ]

    worst, best = worst_and_best(found, "m", 2)

    assert [one.name for one in worst] == ["a", "b"] or [one.name for one in worst] == ["a", "c"]
    assert best[0].name == "d"


def test_no_picture_is_both() -> None:
    worst, best = worst_and_best([picture("a", 0.2), picture("b", 0.1), picture("c", 0.0)], "m", 12)

    assert [one.name for one in worst] == ["a"]
    assert [one.name for one in best] == ["c"]


def test_a_single_picture_is_the_worst() -> None:
    assert [len(part) for part in worst_and_best([picture("a", 0.2)], "m", 12)] == [1, 0]


@pytest.mark.parametrize(("count", "most", "shown"), [(3, 5, [0, 1, 2]), (9, 3, [1, 4, 7]), (5, 1, [2])])
def test_many_pictures_are_shown_at_even_distances(count: int, most: int, shown: list[int]) -> None:
    found = [picture(str(number), 0.0) for number in range(count)]

    assert [int(one.name) for one in evenly_spaced(found, most)] == shown
