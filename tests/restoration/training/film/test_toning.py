"""Toned prints and the removal of the tone."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from restoration.masters.facts import ToneKind
from restoration.masters.monochrome import measure_tone, require_monochrome
from restoration.training.film import STAGES, Film, Toning, develop
from restoration.training.film.toning import tone_removed, toned, toned_and_removed

PRINT = develop(data.astronaut()[::3, ::3], Film(), np.random.default_rng(0))
RAMP = np.linspace(0, 1, 256, dtype=np.float32)[None]

spans = {name: st.floats(span.low, span.high) for name, span in STAGES["toning"].ranges.items()}
even = st.builds(Toning, spans["sepia"], spans["yellowing"])
uneven = st.builds(Toning, **spans)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(even)
@settings(max_examples=40, deadline=None)
def test_what_was_lighter_is_never_darker_when_the_tone_is_gone(toning: Toning) -> None:
    left = toned_and_removed(RAMP, toning, rng())

    assert left.dtype == np.float32
    assert (np.diff(left[0]) >= 0).all()
    assert 0 <= left.min() <= left.max() <= 1


@given(st.one_of(even, uneven), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_the_product_reads_a_toned_print_as_the_same_gray(toning: Toning, seed: int) -> None:
    scan = toned(PRINT, toning, rng(seed))
    planes = np.moveaxis(scan, -1, 0).astype(np.float32) / 255

    require_monochrome(measure_tone(planes), Path("print.tif"))
    assert np.array_equal(toned_and_removed(PRINT, toning, rng(seed)), tone_removed(scan))


def test_an_untoned_print_comes_back_as_it_was() -> None:
    assert np.abs(toned_and_removed(PRINT, Toning(), rng()) - PRINT).max() <= 0.5 / 255 + 1e-5


def test_sepia_is_brown_in_the_middle_and_neutral_at_the_ends() -> None:
    scan = toned(RAMP, Toning(sepia=1.0), rng())[0].astype(int)

    assert tuple(scan[0]) == (0, 0, 0)
    assert tuple(scan[255]) == (255, 255, 255)
    assert scan[128, 0] > scan[128, 1] + 15 > scan[128, 2] + 30
    assert (
        measure_tone(np.moveaxis(toned(PRINT, Toning(sepia=1.0), rng()), -1, 0) / np.float32(255)).kind
        is ToneKind.TONED
    )


def test_yellowed_paper_is_no_longer_white() -> None:
    white = toned(RAMP, Toning(yellowing=1.0), rng())[0, 255]

    assert list(white) == [245, 224, 166]
    assert toned_and_removed(RAMP, Toning(yellowing=1.0), rng())[0, 255] == pytest.approx(0.877, abs=2e-3)


def test_a_stain_shades_part_of_the_paper() -> None:
    paper = np.ones((96, 64), np.float32)

    left = toned_and_removed(paper, Toning(stain=0.5), rng(3))

    assert left.max() > 0.99
    assert left.min() < 0.97
    assert np.abs(np.diff(left, axis=0)).max() < 0.01
