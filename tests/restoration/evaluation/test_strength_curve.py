"""Error and color at several strengths from one prediction."""

import numpy as np
import pytest
from skimage import data

from restoration.arrays.luma import luma
from restoration.evaluation.metrics import chroma_l1
from restoration.evaluation.options import STRENGTHS
from restoration.evaluation.pictures import ReferencePicture
from restoration.evaluation.rendering import colored, left_gray
from restoration.evaluation.strength_curve import StrengthTally, by_strength
from restoration.training.dataset import chroma_of
from restoration.training.metrics import colorfulness

RGB = np.ascontiguousarray(data.astronaut()[::4, ::4])


def reference(name: str) -> ReferencePicture:
    return ReferencePicture("one.png", name, RGB, luma(RGB))


def tally_of(*names: str, weakened: float) -> StrengthTally:
    tally = StrengthTally()
    for name in names:
        one = reference(name)
        gray_error = chroma_l1(left_gray(one.gray), RGB)
        tally.add(one, chroma_of(RGB) / np.float32(weakened), gray_error, colorfulness(RGB / 255))
    return tally


def test_a_weak_prediction_is_best_at_a_high_strength() -> None:
    points = {point.strength: point for point in tally_of("places", weakened=1.25).result()}

    best = min(points.values(), key=lambda point: point.chroma_ratio)
    assert best.strength in {1.2, 1.3}
    assert best.chroma_ratio < 0.08
    assert points[1.3].colorfulness_ratio == pytest.approx(1.04, abs=0.03)
    assert points[0.5].chroma_ratio == pytest.approx(0.6, abs=0.02)


def test_color_rises_with_strength() -> None:
    points = tally_of("places", weakened=1.0).result()

    ratios = [point.colorfulness_ratio for point in points]
    assert [point.strength for point in points] == list(STRENGTHS)
    assert ratios == sorted(ratios)


def test_at_strength_one_it_is_what_the_figures_say() -> None:
    tally = StrengthTally()
    one = reference("places")
    chroma = 0.8 * chroma_of(RGB)
    gray_error = chroma_l1(left_gray(one.gray), RGB)
    tally.add(one, chroma, gray_error, colorfulness(RGB / 255))

    point = next(point for point in tally.result() if point.strength == 1.0)

    assert point.chroma_ratio == pytest.approx(chroma_l1(colored(one.gray, chroma), RGB) / gray_error)


def test_the_historical_sets_have_points_of_their_own() -> None:
    points = tally_of("documerica", "places", weakened=1.0).result()

    assert {point.group for point in points} == {"all", "historical"}
    assert all(len(same) == 2 for same in by_strength(points).values())
