"""Which recipe the settings ask for, and how recipes enter and leave the record."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from db.recipes import ensure_recipe
from restoration import Library, Limits, OutputFormat, Preset, Recipe, model_card, recipe_for
from worker.errors import SettingsError
from worker.library import library_from
from worker.settings import Settings


def recipe_from(settings: Settings) -> Recipe:
    """Return the recipe for dropped files.

    Raises:
        SettingsError: preset or format is unknown, or the chosen default cannot be read.
        restoration.UnknownModel: no such model is installed.
    """
    try:
        preset, fmt = Preset(settings.preset), OutputFormat(settings.format)
    except ValueError as error:
        known = f"presets {', '.join(Preset)}; formats {', '.join(OutputFormat)}"
        raise SettingsError(reason=f"{error}.", remedy=f"Known are: {known}.") from error
    library = library_from(settings)
    return recipe_for(
        settings.model,
        preset=preset,
        strength=settings.strength,
        warmth=settings.warmth,
        format=fmt,
        pyramid=settings.pyramid,
        library=library,
    )


def record_recipe(s: Session, recipe: Recipe, library: Library) -> int:
    """Enter the recipe and its model unless they are known; return the recipe's id."""
    return ensure_recipe(
        s,
        recipe.fingerprint(),
        json.loads(recipe.to_json()),
        model_name=recipe.model,
        weights_sha256=recipe.weights,
        card=model_card(recipe.model, library).entries(),
    )


def recipe_of(body: Mapping[str, Any]) -> Recipe:
    """Return the recipe that the record holds."""
    return Recipe.from_json(json.dumps(dict(body)))


def limits_from(settings: Settings) -> Limits:
    """Return the ceilings for masters."""
    return Limits(max_pixels=settings.max_pixels, max_bytes=8 * settings.max_pixels)
