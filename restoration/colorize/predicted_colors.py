"""Predicted colors of a master: all steps of colorization, from its luminance to the upsampler."""

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
    """The colors of a master, adjusted by the recipe, with their metrics."""

    upsampler: Upsampler
    """Returns the chroma of rows at the size of the master."""
    stretch: tuple[float, float]
    """Luminance values that the contrast stretch maps to black and to white."""
    windows: int
    """Number of windows computed for the colors, without those of the confidence."""
    seamlessness: Seamlessness
    confidence: Float | None
    """(h, w) float32 in [0, 1], of the size of the luminance; None if not requested."""


def predict_colors(
    luminance: Float,
    size: tuple[int, int],
    recipe: Recipe,
    model: LoadedModel,
    listener: Callable[[int, int], None],
    *,
    with_confidence: bool,
) -> PredictedColors:
    """Predict the chroma of the luminance (h, w) float32 in [0, 1] of a master of `size` (width, height).

    The confidence is that of the colors before strength and warmth of the recipe. `listener` is called with
    the number of windows done and their total, passes of the confidence included.

    Raises OutOfMemory, EngineUnavailable, or whatever `listener` raises.
    """
    error_passes = ERROR_PASSES if with_confidence else 0
    field = colorize(
        luminance,
        recipe.preset,
        model.spec,
        model.engine,
        lambda done, windows: listener(done, windows + error_passes),
    )
    confidences = None
    if with_confidence:
        confidences = confidence(
            luminance,
            field.chroma,
            model.spec,
            model.engine,
            lambda done, _: listener(field.windows + done, field.windows + error_passes),
        )
    chroma, palette = (
        adjust_chroma(one, recipe.strength, recipe.warmth) for one in (field.chroma, field.palette)
    )
    width, height = size
    upsampler = Upsampler.solve(chroma, luminance, height, width)
    metrics = seamlessness(field, luminance, upsampler.at_guide_size(luminance), palette)
    return PredictedColors(upsampler, field.stretch, field.windows, metrics, confidences)
