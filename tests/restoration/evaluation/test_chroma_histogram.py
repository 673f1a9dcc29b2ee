"""Histograms of chroma magnitude: counts, percentiles, shares."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage import data

from restoration.evaluation.chroma_histogram import (
    BIN,
    SHOWN_BINS,
    SHOWN_WIDTH,
    chroma_histogram,
    chroma_magnitudes,
    displayed_shares,
    empty_histogram,
    percentile,
    share_beyond,
)

PALETTE = np.array([[[0, 0, 0], [255, 255, 255], [128, 128, 128], [255, 0, 0]]], np.uint8)


def test_red_is_strong_and_gray_is_nothing() -> None:
    assert chroma_magnitudes(PALETTE)[0, :3] == pytest.approx(0.0, abs=1e-6)
    assert chroma_magnitudes(PALETTE)[0, 3] == pytest.approx(np.hypot(0.5, 0.299 / 1.772), abs=1e-6)


def test_shares_are_those_of_the_pixels() -> None:
    found = displayed_shares(chroma_histogram(PALETTE))

    assert found[0] == 0.75
    assert found[-1] == 0.25
    assert sum(found) == 1
    assert displayed_shares(empty_histogram()) == (0.0,) * SHOWN_BINS


def test_a_percentile_is_exceeded_by_no_more_than_its_share() -> None:
    astronaut = data.astronaut()[::2, ::2]

    threshold = percentile(chroma_histogram(astronaut), 99.0)

    assert share_beyond(astronaut, threshold) <= 0.01 < share_beyond(astronaut, threshold - 2 * BIN)
    assert threshold == pytest.approx(np.percentile(chroma_magnitudes(astronaut), 99.0), abs=2 * BIN)


def test_no_pixels_have_no_percentile() -> None:
    with pytest.raises(ValueError, match="no pixels"):
        percentile(empty_histogram(), 50)


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
def test_every_color_has_its_bin(red: int, green: int, blue: int) -> None:
    color = np.array([[[red, green, blue]]], np.uint8)
    place = int(np.argmax(chroma_histogram(color)))

    assert place * BIN <= chroma_magnitudes(color)[0, 0] + 1e-6
    assert chroma_magnitudes(color)[0, 0] < (place + 1) * BIN + 1e-6
    assert (
        displayed_shares(chroma_histogram(color))[min(SHOWN_BINS - 1, int(place * BIN / SHOWN_WIDTH + 1e-9))]
        == 1
    )
