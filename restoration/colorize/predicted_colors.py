"""Predict the colors of a master from its overview, and fit them to the full size."""

from collections.abc import Callable
from dataclasses import dataclass

from restoration.arrays.luma import Float, adjust_chroma
from restoration.colorize.guided_filter import Upsampler
from restoration.colorize.inference import colorize
from restoration.colorize.predicted_error import ERROR_PASSES, confidence
from restoration.colorize.seam_metrics import seamlessness
from restoration.generators.loaded_model import LoadedModel
from restoration.recipe import Recipe
from restoration.results import Seamlessness


@dataclass(frozen=True, slots=True)
class PredictedColors:
    """The colors of a master, adjusted as the recipe says, and what is known of them."""

    upsampler: Upsampler
    """Gives the chroma of any rows at the full size."""
    stretch: tuple[float, float]
    """Gray values in [0, 1] that the network's own copy maps to black and to white."""
    windows: int
    """Windows that the colors took; those of the confidence are not among them."""
    seamlessness: Seamlessness
    confidence: Float | None
    """(h, w) of the overview, float32 in [0, 1]; None if it was not asked for."""


def predict_colors(
    luminance: Float,
    size: tuple[int, int],
    recipe: Recipe,
    model: LoadedModel,
    listener: Callable[[int, int], None],
    *,
    with_confidence: bool,
) -> PredictedColors:
    """Predict the chroma of `luminance` (h, w), float32 in [0, 1], for a master of `size` (width, height).

    The confidence is that of the colors before the recipe's strength and warmth. `listener` is told how many
    windows of how many are done.

    Raises OutOfMemory, EngineUnavailable, or what `listener` raises.
    """
    further = ERROR_PASSES if with_confidence else 0
    field = colorize(
        luminance,
        recipe.preset,
        model.spec,
        model.engine,
        lambda done, windows: listener(done, windows + further),
    )
    trust = None
    if with_confidence:
        trust = confidence(
            luminance,
            field.chroma,
            model.spec,
            model.engine,
            lambda done, _: listener(field.windows + done, field.windows + further),
        )
    chroma, palette = (
        adjust_chroma(one, recipe.strength, recipe.warmth) for one in (field.chroma, field.palette)
    )
    width, height = size
    upsampler = Upsampler.solve(chroma, luminance, height, width)
    measured = seamlessness(field, luminance, upsampler.at_guide_size(luminance), palette)
    return PredictedColors(upsampler, field.stretch, field.windows, measured, trust)
