"""Metrics by group, and the choice of pictures to show."""

from types import SimpleNamespace

import numpy as np
import pytest

from restoration.evaluation.chroma_histogram import chroma_histogram
from restoration.evaluation.features import MIN_PICTURES
from restoration.evaluation.groups import (
    MeasuredPicture,
    PictureRendering,
    evenly_spaced,
    groups,
    worst_and_best,
)
from restoration.evaluation.metrics import RenderingMetrics

RED, GRAY = (np.full((4, 4, 3), color, np.uint8) for color in ((200, 40, 40), (88, 88, 88)))


def rendered(error: float, vivid: float, pooled: np.ndarray, rgb: np.ndarray = RED) -> PictureRendering:
    figures = RenderingMetrics(60.0 - 400 * error, 1.0, error, 0.0, vivid, 0.0, None)
    return PictureRendering(figures, pooled.astype(np.float32), chroma_histogram(rgb))


def pictures(count: int, name: str, vivid: float = 20.0) -> list[MeasuredPicture]:
    """Each with a model that leaves it gray, one that knows the truth, and one in the middle."""
    rng = np.random.default_rng(count)
    found = []
    for number in range(count):
        here, there = rng.normal(size=1280), rng.normal(size=1280) + 0.1
        gray, truth = rendered(0.1, 0.0, there, GRAY), rendered(0.0, vivid, here)
        middle = rendered(0.05, vivid / 2, (here + there) / 2)
        models = {"none": gray, "oracle": truth, "middle": middle}
        found.append(MeasuredPicture(f"{name}/{number}", name, gray, truth, models))
    return found


def test_a_gray_model_has_the_metrics_of_gray() -> None:
    (every, _) = groups(pictures(MIN_PICTURES, "places"))

    assert every.models["none"] == every.gray
    assert (every.gray.chroma_ratio, every.gray.colorfulness_ratio, every.gray.psnr_gain) == (1, 0, 0)


def test_a_perfect_model_has_the_metrics_of_the_truth() -> None:
    (every, _) = groups(pictures(MIN_PICTURES, "places"))

    assert every.models["oracle"] == every.truth
    assert (every.truth.chroma_ratio, every.truth.colorfulness_ratio) == (0, 1)
    assert every.truth.frechet == pytest.approx(0, abs=1e-6)


def test_half_the_color_has_half_the_error_and_nearer_features() -> None:
    middle = groups(pictures(MIN_PICTURES, "places"))[0].models["middle"]

    assert (middle.chroma_ratio, middle.colorfulness_ratio) == (pytest.approx(0.5), 0.5)
    assert (middle.colorfulness_difference, middle.psnr_gain) == (-10, pytest.approx(20))
    assert 0 < (middle.frechet or 0) < (groups(pictures(MIN_PICTURES, "places"))[0].gray.frechet or 0)


def test_all_and_the_historical_sets_come_first() -> None:
    found = groups([*pictures(2, "documerica"), *pictures(3, "places"), *pictures(1, "autochrome")])

    assert [(group.name, group.pictures) for group in found] == [
        ("all", 6),
        ("historical", 3),
        ("autochrome", 1),
        ("documerica", 2),
        ("places", 3),
    ]
    assert found[1].sets == ("autochrome", "documerica")


def test_without_historical_sets_there_is_no_such_row() -> None:
    assert [group.name for group in groups(pictures(2, "places"))] == ["all", "places"]


def test_ratios_are_of_sums_so_that_vivid_pictures_weigh_more() -> None:
    pale, vivid = pictures(1, "a", vivid=10.0), pictures(1, "b", vivid=50.0)
    pale[0].models["middle"] = pale[0].truth  # type: ignore[index]

    every = groups([*pale, *vivid])[0]

    assert every.models["middle"].colorfulness_ratio == pytest.approx((10 + 25) / 60)


def test_few_pictures_have_no_frechet_distance() -> None:
    assert groups(pictures(MIN_PICTURES - 1, "places"))[0].gray.frechet is None


def test_vividness_is_over_the_pixels_of_all_pictures() -> None:
    every = groups(pictures(3, "places"))[0]

    assert every.gray.vividness[0] == 1
    assert every.truth.vividness[0] == 0
    assert sum(every.truth.vividness) == pytest.approx(1)


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
