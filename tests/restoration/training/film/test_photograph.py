"""Films drawn from the table of effects."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from restoration.training.film import (
    STAGES,
    CharacteristicCurve,
    Fading,
    Film,
    Screen,
    Toning,
    choose_film,
    develop,
    photograph,
)

ALL_AT_ONCE = Film(
    vignette=0.4,
    lens_blur=0.5,
    curve=CharacteristicCurve(1.2, 0.5, -0.03, 1.05),
    grain=0.03,
    grain_size=0.6,
    scratches=3,
    fading=Fading(0.1, 0.9),
    toning=Toning(0.7, 0.5, 0.4),
    screen=Screen(3.0),
    specks=12,
    hairs=2,
    scanner_blur=0.5,
    jpeg=70,
)

SIGN_OF = {
    "vignette": lambda film: film.vignette > 0,
    "lens blur": lambda film: film.lens_blur > 0,
    "grain": lambda film: film.grain > 0,
    "scratches": lambda film: film.scratches > 0,
    "fading": lambda film: film.fading is not None,
    "toning": lambda film: film.toning is not None,
    "halftone": lambda film: film.screen is not None,
    "dust": lambda film: film.specks > 0,
    "scanner blur": lambda film: film.scanner_blur > 0,
    "JPEG": lambda film: film.jpeg is not None,
}


@given(seed=st.integers(0, 2**32 - 1), height=st.integers(5, 70), width=st.integers(5, 70))
@settings(max_examples=80, deadline=None)
def test_any_film_gives_gray_in_range(seed: int, height: int, width: int) -> None:
    gray = photograph(data.astronaut()[:height, :width], np.random.default_rng(seed))

    assert gray.shape == (height, width)
    assert gray.dtype == np.float32
    assert 0 <= gray.min() <= gray.max() <= 1


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_the_same_seed_gives_the_same_picture(seed: int) -> None:
    scene = data.astronaut()[:64, :48]
    before = scene.copy()

    first, second = (develop(scene, ALL_AT_ONCE, np.random.default_rng(seed)) for _ in range(2))

    assert np.array_equal(first, second)
    assert np.array_equal(scene, before)


def test_another_seed_gives_another_picture() -> None:
    scene = data.astronaut()[:64, :64]

    first, second = (develop(scene, ALL_AT_ONCE, np.random.default_rng(seed)) for seed in (1, 2))

    assert not np.array_equal(first, second)


@pytest.mark.parametrize("name", [field.name for field in fields(Film) if field.name != "hairs"])
def test_each_part_of_a_history_changes_the_picture(name: str) -> None:
    scene = data.astronaut()[:96, :96]
    changed = {"response": (0.02, 0.13, 0.85), "grain_size": 0.0}.get(name, getattr(ALL_AT_ONCE, name))
    base = {"grain": 0.03, "grain_size": 0.9} if name == "grain_size" else {}

    with_it = develop(scene, Film(**{**base, name: changed}), np.random.default_rng(3))
    without = develop(scene, Film(**base), np.random.default_rng(3))

    assert np.abs(with_it - without).max() > 0.01


def test_every_stage_occurs_as_often_as_the_table_says() -> None:
    rng = np.random.default_rng(0)
    films = [choose_film(rng) for _ in range(3000)]

    assert set(SIGN_OF) == {name for name, stage in STAGES.items() if stage.share < 1}
    for name, sign in SIGN_OF.items():
        assert np.mean([sign(film) for film in films]) == pytest.approx(STAGES[name].share, abs=0.035)


def test_the_same_seed_gives_the_same_film() -> None:
    assert choose_film(np.random.default_rng(4)) == choose_film(np.random.default_rng(4))
    assert choose_film(np.random.default_rng(4)) != choose_film(np.random.default_rng(5))


def test_damage_comes_after_fading_only_where_it_should() -> None:
    scene = np.full((64, 64, 3), 128, dtype=np.uint8)
    faded = Fading(0.3, 0.7)

    scratched = develop(scene, Film(scratches=4, fading=faded), np.random.default_rng(1))
    dusty = develop(scene, Film(specks=24, fading=faded), np.random.default_rng(1))

    assert 0.3 - 1e-6 <= scratched.min() < scratched.max() <= 0.7 + 1e-6
    assert dusty.max() > 0.75 or dusty.min() < 0.25
