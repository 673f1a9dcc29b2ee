"""Film: what light leaves on it, and what time does to it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage import data

from restoration.training.film import EMULSIONS, Film, choose_film, develop, photograph, soften

BLUE_SKY = np.full((8, 8, 3), (70, 120, 220), dtype=np.uint8)
RED_BRICK = np.full((8, 8, 3), (180, 60, 40), dtype=np.uint8)
RESPONSE = {emulsion.name: emulsion.response for emulsion in EMULSIONS}


def tone(rgb: np.ndarray, film: Film) -> float:
    return float(develop(rgb, film, np.random.default_rng(0)).mean())


@pytest.mark.parametrize("emulsion", EMULSIONS, ids=lambda emulsion: emulsion.name)
def test_every_emulsion_answers_to_white_light_in_full(emulsion) -> None:
    assert sum(emulsion.response) == pytest.approx(1.0)


def test_the_shares_of_the_emulsions_are_the_whole() -> None:
    assert sum(emulsion.share for emulsion in EMULSIONS) == pytest.approx(1.0)


def test_neutral_gray_stays_as_it_is_on_any_emulsion() -> None:
    steps = np.repeat(np.arange(0, 256, 5, dtype=np.uint8)[None, :, None], 3, axis=2)
    for response in RESPONSE.values():
        gray = develop(steps, Film(response), np.random.default_rng(0))
        assert np.allclose(gray, steps[..., 0] / 255, atol=1e-4)


def test_blue_sensitive_film_bleaches_the_sky_and_blackens_red() -> None:
    old, today = Film(RESPONSE["blue-sensitive"]), Film(RESPONSE["luminance"])

    assert tone(BLUE_SKY, old) > tone(BLUE_SKY, today) + 0.2
    assert tone(RED_BRICK, old) < tone(RED_BRICK, today) - 0.1


def test_orthochromatic_film_lies_between() -> None:
    tones = [
        tone(RED_BRICK, Film(RESPONSE[name])) for name in ("blue-sensitive", "orthochromatic", "luminance")
    ]

    assert tones == sorted(tones)


def test_light_is_weighed_before_it_is_encoded() -> None:
    gray = tone(np.full((4, 4, 3), (0, 255, 0), dtype=np.uint8), Film((0.2126, 0.7152, 0.0722)))

    assert gray == pytest.approx(1.055 * 0.7152 ** (1 / 2.4) - 0.055, abs=1e-4)


def test_a_faded_print_has_neither_black_nor_white() -> None:
    steps = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)

    gray = develop(steps, Film(black=0.15, white=0.8), np.random.default_rng(0))

    assert gray.min() == pytest.approx(0.15, abs=1e-4)
    assert gray.max() == pytest.approx(0.8, abs=1e-4)


def test_a_vignette_darkens_the_corners_only() -> None:
    white = np.full((65, 65, 3), 255, dtype=np.uint8)

    gray = develop(white, Film(vignette=0.3), np.random.default_rng(0))

    assert gray[32, 32] == pytest.approx(1.0, abs=1e-4)
    assert gray[0, 0] == gray[-1, -1] == pytest.approx(0.7, abs=1e-4)


def test_grain_is_strongest_in_the_middle_tones() -> None:
    def roughness(value: int) -> float:
        flat = np.full((64, 64, 3), value, dtype=np.uint8)
        return float(develop(flat, Film(grain=0.03), np.random.default_rng(1)).std())

    assert roughness(128) > 1.5 * roughness(20)
    assert roughness(128) > 1.5 * roughness(235)


def test_coarse_grain_is_as_strong_as_fine_grain_but_wider() -> None:
    flat = np.full((128, 128, 3), 128, dtype=np.uint8)
    fine = develop(flat, Film(grain=0.03), np.random.default_rng(1))
    coarse = develop(flat, Film(grain=0.03, grain_size=0.9), np.random.default_rng(1))

    assert coarse.std() == pytest.approx(fine.std(), rel=0.1)
    assert np.corrcoef(coarse[:, 1:].ravel(), coarse[:, :-1].ravel())[0, 1] > 0.5
    assert abs(np.corrcoef(fine[:, 1:].ravel(), fine[:, :-1].ravel())[0, 1]) < 0.1


def test_compression_leaves_the_picture_recognizable() -> None:
    rgb = data.astronaut()[:128, :128]
    clean = develop(rgb, Film(), np.random.default_rng(0))

    squeezed = develop(rgb, Film(jpeg=45), np.random.default_rng(0))

    assert 0 < np.abs(squeezed - clean).mean() < 0.03


@given(arrays(np.float32, (17, 23), elements=st.floats(0, 1, width=32)), st.floats(0.3, 2.0))
@settings(max_examples=20, deadline=None)
def test_blur_invents_no_tone(gray: np.ndarray, sigma: float) -> None:
    soft = soften(gray, sigma)

    assert soft.shape == gray.shape
    assert soft.min() >= gray.min() - 1e-5
    assert soft.max() <= gray.max() + 1e-5


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_any_film_gives_gray_in_range(seed: int) -> None:
    gray = photograph(data.astronaut()[:48, :64], np.random.default_rng(seed))

    assert gray.shape == (48, 64)
    assert gray.dtype == np.float32
    assert 0 <= gray.min() <= gray.max() <= 1


def test_the_same_seed_gives_the_same_film_and_picture() -> None:
    rgb = data.astronaut()[:64, :64]

    assert choose_film(np.random.default_rng(4)) == choose_film(np.random.default_rng(4))
    assert np.array_equal(
        photograph(rgb, np.random.default_rng(4)), photograph(rgb, np.random.default_rng(4))
    )
