"""Recipes and limits from the settings, and recipes from the record."""

import json
from collections.abc import Mapping
from typing import Any

from restoration import Limits, OutputFormat, Preset, Recipe, recipe_for
from worker.errors import SettingsError
from worker.models.library import library_from
from worker.settings import Settings


def recipe_from(settings: Settings) -> Recipe:
    """Return the recipe for files in the inbox.

    Raises:
        SettingsError: preset or format is unknown, or the chosen default model cannot be read.
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


def recipe_of(body: Mapping[str, Any]) -> Recipe:
    """Return the recipe with the body that the record holds."""
    return Recipe.from_json(json.dumps(dict(body)))


def limits_from(settings: Settings) -> Limits:
    """Return the limits for masters."""
    return Limits(
        max_pixels=settings.max_pixels,
        max_bytes=8 * settings.max_pixels,
        reader_bytes=settings.reader_bytes,
        reader_cpu_seconds=settings.reader_cpu_seconds,
        reader_silent_seconds=settings.reader_silent_seconds,
    )
