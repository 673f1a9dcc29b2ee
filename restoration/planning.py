"""Recipes for installed models, and the cost estimate of a restoration."""

from restoration.colorize.plan import count_windows
from restoration.colorize.predicted_error import ERROR_PASSES
from restoration.derivatives import writer
from restoration.generators.models import SHIPPED_ONLY, Library, default_model, model_card
from restoration.masters.facts import ScanFacts
from restoration.recipe import OutputFormat, Preset, Recipe
from restoration.results import Plan


def recipe_for(
    model: str | None = None,
    *,
    preset: Preset = Preset.BALANCED,
    strength: float = 1.0,
    warmth: float = 0.0,
    format: OutputFormat = OutputFormat.TIFF,  # noqa: A002 - the recipe's own word
    quality: int = 92,
    pyramid: bool = False,
    library: Library = SHIPPED_ONLY,
) -> Recipe:
    """Return a recipe for an installed model, the default one if none is named.

    Raises UnknownModel, or ValueError if a value is out of range.
    """
    card = default_model(library) if model is None else model_card(model, library)
    return Recipe(card.name, card.weights, preset, strength, warmth, format, quality, pyramid)


def plan(
    facts: ScanFacts, recipe: Recipe, library: Library = SHIPPED_ONLY, *, with_confidence: bool = False
) -> Plan:
    """Return what the restoration of a master would cost. Raises UnknownModel."""
    card = model_card(recipe.model, library)
    width, height = facts.upright_size
    windows = count_windows(height, width, recipe.preset, card.input_spec)
    spec = writer.image_spec(facts, recipe)
    size = spec.raw_bytes if recipe.format.lossless else spec.raw_bytes * recipe.quality // 200
    size += size // 3 * recipe.pyramid
    return Plan(windows + ERROR_PASSES * with_confidence, facts.pixels, size)
