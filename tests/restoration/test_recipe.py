import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restoration import OutputFormat, Preset, Recipe

RECIPES = st.builds(
    Recipe,
    model=st.text(min_size=1, max_size=20),
    weights=st.text("0123456789abcdef", min_size=64, max_size=64),
    preset=st.sampled_from(Preset),
    strength=st.floats(0, 2),
    warmth=st.floats(-1, 1),
    format=st.sampled_from(OutputFormat),
    quality=st.integers(1, 100),
    pyramid=st.booleans(),
)


@given(RECIPES)
def test_a_recipe_comes_back_from_its_json(recipe: Recipe) -> None:
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert Recipe.from_json(recipe.to_json()).fingerprint() == recipe.fingerprint()


def test_the_fingerprint_is_pinned() -> None:
    recipe = Recipe("archive-1", "0" * 64, algorithm=1)
    assert recipe.fingerprint() == "21d173c5bddbf3fd3ae38636f90c6dee6f9f2be767f2756f6ee5bc0ff84cbdc4"
    recipe = Recipe("archive-1", "0" * 64)
    assert recipe.fingerprint() == "01cc6e423d9c471858f7ca02a2fbbcf4233bff49929a4ea19b10d60428347492"


@pytest.mark.parametrize(
    "change",
    [
        {"model": "other"},
        {"weights": "1" * 64},
        {"preset": "fast"},
        {"strength": 0.5},
        {"warmth": 0.1},
        {"format": "png"},
        {"pyramid": True},
        {"algorithm": 1},
    ],
)
def test_whatever_decides_the_pixels_changes_the_fingerprint(
    recipe: Callable[..., Recipe], change: dict[str, str]
) -> None:
    before = recipe(preset="fine")
    assert replace(before, **change).fingerprint() != before.fingerprint()


def test_quality_counts_only_where_it_has_an_effect(recipe: Callable[..., Recipe]) -> None:
    assert recipe("tiff", quality=50).fingerprint() == recipe("tiff", quality=90).fingerprint()
    assert recipe("jpeg", quality=50).fingerprint() != recipe("jpeg", quality=90).fingerprint()


def test_a_pyramid_is_another_derivative_only_as_a_tiff(recipe: Callable[..., Recipe]) -> None:
    assert recipe("tiff", pyramid=True).fingerprint() != recipe("tiff").fingerprint()
    for fmt in ("png", "jpeg"):
        assert recipe(fmt, pyramid=True).fingerprint() == recipe(fmt).fingerprint()
    assert "pyramid" not in recipe("tiff").to_json()


def test_a_whole_number_as_strength_is_the_same_recipe(recipe: Callable[..., Recipe]) -> None:
    assert recipe(strength=1).to_json() == recipe(strength=1.0).to_json()


def test_a_recipe_from_before_warmth_is_the_same_recipe(recipe: Callable[..., Recipe]) -> None:
    before = (
        '{"algorithm":1,"format":"jpeg","model":"archive-1","preset":"fine","quality":92,"strength":1.0,'
        f'"weights":"{"0" * 64}"}}'
    )
    old = Recipe.from_json(before)
    assert old.warmth == 0
    assert old.to_json() == before
    assert old.fingerprint() == "e770e1d1e3f6c5b8efc2fd1ef4d4efbc6e8cb63b9ae7dea869fa5aa2f05efccd"
    assert recipe(warmth=-0.0).to_json() == recipe(warmth=0).to_json() == recipe().to_json()


@pytest.mark.parametrize(
    "wrong",
    [
        {"strength": -0.1},
        {"strength": float("nan")},
        {"warmth": 1.1},
        {"warmth": -1.1},
        {"warmth": float("nan")},
        {"quality": 0},
        {"pyramid": "yes"},
        {"preset": "best"},
        {"weights": "abc"},
    ],
)
def test_a_value_out_of_range_makes_no_recipe(
    recipe: Callable[..., Recipe], wrong: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match=r"must|not a valid"):
        recipe(**wrong)


@pytest.mark.parametrize(
    "text", ["[]", "{}", json.dumps({"model": "m", "weights": "0" * 64, "color": 1}), "{"]
)
def test_other_json_makes_no_recipe(text: str) -> None:
    with pytest.raises(ValueError, match=r"recipe|Expecting"):
        Recipe.from_json(text)
