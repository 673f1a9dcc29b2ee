"""Response of emulsions."""

import numpy as np
import pytest

from restoration.training.film import EMULSIONS, Film, develop
from restoration.training.film.emulsion import LIGHT_STEPS, choose_response, exposure

BLUE_SKY = np.full((8, 8, 3), (70, 120, 220), dtype=np.uint8)
RED_BRICK = np.full((8, 8, 3), (180, 60, 40), dtype=np.uint8)
RESPONSE = {emulsion.name: emulsion.response for emulsion in EMULSIONS}


def tone(rgb: np.ndarray, name: str) -> float:
    return float(develop(rgb, Film(RESPONSE[name]), np.random.default_rng(0)).mean())


@pytest.mark.parametrize("emulsion", EMULSIONS, ids=lambda emulsion: emulsion.name)
def test_every_emulsion_answers_to_white_light_in_full(emulsion) -> None:
    assert sum(emulsion.response) == pytest.approx(1.0)


def test_the_shares_of_the_emulsions_are_the_whole() -> None:
    assert sum(emulsion.share for emulsion in EMULSIONS) == pytest.approx(1.0)


def test_neutral_gray_stays_as_it_is_on_any_emulsion() -> None:
    steps = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    for response in RESPONSE.values():
        gray = develop(steps, Film(response), np.random.default_rng(0))
        assert np.abs(gray - steps[..., 0] / 255).max() < 0.25 / 255


def test_blue_sensitive_film_bleaches_the_sky_and_blackens_red() -> None:
    assert tone(BLUE_SKY, "blue-sensitive") > tone(BLUE_SKY, "luminance") + 0.2
    assert tone(RED_BRICK, "blue-sensitive") < tone(RED_BRICK, "luminance") - 0.1


def test_the_more_an_emulsion_sees_of_red_the_lighter_is_red() -> None:
    order = ("blue-sensitive", "orthochromatic", "panchromatic", "panchromatic under tungsten")
    tones = [tone(RED_BRICK, name) for name in order]

    assert tones == sorted(set(tones))


def test_tungsten_light_darkens_blue_on_the_same_film() -> None:
    assert tone(BLUE_SKY, "panchromatic under tungsten") < tone(BLUE_SKY, "panchromatic") - 0.1


def test_light_is_weighed_before_it_is_encoded() -> None:
    gray = tone(np.full((4, 4, 3), (0, 255, 0), dtype=np.uint8), "luminance")

    assert gray == pytest.approx(1.055 * 0.7152 ** (1 / 2.4) - 0.055, abs=2e-4)


def test_full_light_never_overflows() -> None:
    rng = np.random.default_rng(0)
    white = np.full((1, 1, 3), 255, dtype=np.uint8)

    for _ in range(300):
        assert exposure(white, choose_response(rng))[0, 0] >= LIGHT_STEPS - 3


def test_emulsions_are_chosen_by_their_shares() -> None:
    rng = np.random.default_rng(0)
    drawn = np.array([choose_response(rng) for _ in range(4000)])
    kinds = np.array([RESPONSE[name] for name in RESPONSE])

    nearest = np.linalg.norm(drawn[:, None] - kinds, axis=2).argmin(axis=1)

    assert np.allclose(drawn.sum(axis=1), 1.0)
    for index, emulsion in enumerate(EMULSIONS):
        assert np.mean(nearest == index) == pytest.approx(emulsion.share, abs=0.04)
