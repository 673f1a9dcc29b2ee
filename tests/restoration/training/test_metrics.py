"""Color metrics: published pairs, and those of gray and truth."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage import data
from skimage.color import rgb2lab

from restoration.arrays.lab import lab, shown_rgb
from restoration.training.dataset import LUMA, Picture, chroma_of
from restoration.training.metrics import (
    ColorMetrics,
    SetMetrics,
    ciede2000,
    colorfulness,
    held_out_pictures,
    metrics_by_set,
    reduced,
)

# Sharma, Wu & Dalal 2005, table 1: pairs 1, 4, 7, 8, 9, 10, 13, 14, 16, 17, 19, 20, 21, 25, 33, 34.
SHARMA = [
    ((50.0000, 2.6772, -79.7751), (50.0000, 0.0000, -82.7485), 2.0425),
    ((50.0000, -1.3802, -84.2814), (50.0000, 0.0000, -82.7485), 1.0000),
    ((50.0000, 0.0000, 0.0000), (50.0000, -1.0000, 2.0000), 2.3669),
    ((50.0000, -1.0000, 2.0000), (50.0000, 0.0000, 0.0000), 2.3669),
    ((50.0000, 2.4900, -0.0010), (50.0000, -2.4900, 0.0009), 7.1792),
    ((50.0000, 2.4900, -0.0010), (50.0000, -2.4900, 0.0010), 7.1792),
    ((50.0000, -0.0010, 2.4900), (50.0000, 0.0009, -2.4900), 4.8045),
    ((50.0000, -0.0010, 2.4900), (50.0000, 0.0010, -2.4900), 4.8045),
    ((50.0000, 2.5000, 0.0000), (50.0000, 0.0000, -2.5000), 4.3065),
    ((50.0000, 2.5000, 0.0000), (73.0000, 25.0000, -18.0000), 27.1492),
    ((50.0000, 2.5000, 0.0000), (56.0000, -27.0000, -3.0000), 31.9030),
    ((50.0000, 2.5000, 0.0000), (58.0000, 24.0000, 15.0000), 19.4535),
    ((50.0000, 2.5000, 0.0000), (50.0000, 3.1736, 0.5854), 1.0000),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ((6.7747, -0.2908, -2.4247), (5.8714, -0.0985, -2.2286), 0.6377),
    ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
]
COLORS = st.tuples(st.floats(0, 100), st.floats(-100, 100), st.floats(-100, 100))


@pytest.mark.parametrize(("first", "second", "difference"), SHARMA)
def test_the_published_pairs_differ_as_published(first, second, difference) -> None:
    assert float(ciede2000(np.array(first), np.array(second))) == pytest.approx(difference, abs=5e-5)


@given(COLORS, COLORS)
def test_the_color_difference_is_symmetric_and_not_negative(first, second) -> None:
    forth = float(ciede2000(np.array(first), np.array(second)))

    assert forth >= 0
    assert forth == pytest.approx(float(ciede2000(np.array(second), np.array(first))), abs=1e-9)


def test_lab_agrees_with_scikit_image() -> None:
    rgb = data.astronaut()[::16, ::16] / 255

    assert np.allclose(lab(rgb), rgb2lab(rgb), atol=0.02)


def test_gray_has_no_colorfulness_and_a_photograph_has() -> None:
    gray = np.repeat(np.linspace(0, 1, 64).reshape(8, 8, 1), 3, axis=2)

    assert colorfulness(gray) == pytest.approx(0.0, abs=1e-9)
    assert colorfulness(data.astronaut() / 255) > 20


def test_a_uniform_red_has_the_colorfulness_of_its_mean() -> None:
    red = np.zeros((4, 4, 3))
    red[..., 0] = 1.0

    assert colorfulness(red) == pytest.approx(0.3 * np.hypot(255.0, 127.5))


def test_luma_and_true_chroma_give_the_picture_back() -> None:
    rgb = data.astronaut()[::4, ::4]

    back = shown_rgb((rgb @ LUMA / 255).astype(np.float32), chroma_of(rgb))

    assert np.abs(back * 255 - rgb).max() < 0.6


def test_color_out_of_gamut_is_weakened_and_keeps_its_luma() -> None:
    luma = np.linspace(0, 1, 101, dtype=np.float32)[None]
    chroma = np.stack((np.full_like(luma, -0.4), np.full_like(luma, 0.45)))

    rgb = shown_rgb(luma, chroma)

    assert 0 <= rgb.min() <= rgb.max() <= 1
    assert np.allclose(rgb @ LUMA, luma, atol=1e-5)


def test_a_picture_is_reduced_to_multiples_of_32() -> None:
    assert reduced(np.zeros((480, 640, 3), np.uint8), 256).shape == (192, 256, 3)
    assert reduced(np.zeros((100, 130, 3), np.uint8), 256).shape == (96, 128, 3)


def test_every_row_has_gray_and_truth() -> None:
    pictures = [Picture("a", "people", data.astronaut()), Picture("b", "table", data.coffee())]

    every, people, table = metrics_by_set(gray_predictor, held_out_pictures(pictures, 128))

    assert (every.set, every.pictures) == ("all", 2)
    assert (people.set, table.set) == ("people", "table")
    assert people.predicted == people.gray
    assert people.truth.chroma_l1 == 0
    assert people.truth.ciede2000 < 1 < people.gray.ciede2000
    assert every.chroma_ratio == pytest.approx(1.0)
    assert every.colorfulness_ratio == pytest.approx(0.0, abs=1e-6)
    assert every.gray.psnr == pytest.approx((people.gray.psnr + table.gray.psnr) / 2)


def test_neither_gray_nor_strong_colors_win() -> None:
    modest = _row(chroma_l1=0.03, vivid=24)

    assert modest.score < _row(chroma_l1=0.04, vivid=0).score
    assert modest.score < _row(chroma_l1=0.05, vivid=40).score
    assert _row(chroma_l1=0.03, vivid=40).score == modest.score


def gray_predictor(gray: np.ndarray) -> np.ndarray:
    return np.zeros((1, 2, *gray.shape[1:]), dtype=np.float32)


def _row(chroma_l1: float, vivid: float) -> SetMetrics:
    gray = ColorMetrics(psnr=23.0, chroma_l1=0.04, ciede2000=11.0, colorfulness=0.0)
    truth = ColorMetrics(psnr=60.0, chroma_l1=0.0, ciede2000=0.0, colorfulness=40.0)
    predicted = dataclasses.replace(gray, chroma_l1=chroma_l1, colorfulness=vivid)
    return SetMetrics("all", 1, predicted, gray, truth)
