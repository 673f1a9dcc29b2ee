"""How much the predicted color of each pixel can be trusted.

The network is asked again about the same picture in ways that leave its colors as they were: mirrored and
shifted, coarser, finer and darker, brighter. Where the answers differ, it does not know. Two more things tell
how far off an answer can be: how much chroma is claimed, and how much chroma a tone has room for, for near
black and near white every color is small. The three together are the doubt::

    doubt = (spread + 0.5 |chroma| + 0.04) sqrt(min(Y, 1 - Y))

A network that predicts its own error (`restoration/generators/networks/error_head.py`) knows another part
of it; then the doubt is the geometric mean of the two.

Confidence is the share of pixels with so much doubt whose chroma turned out to be within `CLOSE` of the
truth, measured on pictures whose colors are known (`docs/decisions/0012-confidence.md`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from restoration.arrays import resample
from restoration.arrays.luma import Float
from restoration.colorize.inference import apply_stretch, contrast_stretch, infer_chroma, infer_planes
from restoration.colorize.plan import first_pass_shape
from restoration.generators.engines import Engine
from restoration.generators.models import InputSpec

CLOSE: Final = 0.05
"""Distance of (Cb, Cr) up to which a color counts as right: 13 of 255 steps."""

_CLAIM = 0.5
_FLOOR = 0.04


@dataclass(frozen=True, slots=True)
class Calibration:
    """How often a color was right, by its doubt: measured for one model, a guess for others of its kind."""

    middle: float
    """PredictedError at which half of the pixels are close to the truth."""
    slope: float
    """By how much the logit of being close falls when the doubt grows e-fold."""


AUGMENTATION_CALIBRATION: Final = Calibration(0.0465, 1.34)
"""Of archive-2, which has no error head."""
HEAD_CALIBRATION: Final = Calibration(0.0489, 1.88)
"""Of archive-3, which has an error head."""


@dataclass(frozen=True, slots=True)
class PredictedError:
    """How doubtful each color is (H, W), 0 is not at all, and the curve that makes a share of it."""

    values: Float
    curve: Calibration

    def share_close(self) -> Float:
        """Return the share (H, W) in [0, 1] of pixels so doubtful whose color was `CLOSE` to the truth."""
        with np.errstate(divide="ignore"):
            odds = np.log(self.values / np.float32(self.curve.middle)) * np.float32(self.curve.slope)
        return np.asarray(1 / (1 + np.exp(odds)), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class _Look:
    """One more way to show the network the same picture."""

    scale: float = 1.0
    mirrored: bool = False
    shift: int = 0
    """Rows and columns of reflected picture put before the first."""
    gamma: float = 1.0


_LOOKS: Final = (
    _Look(mirrored=True, shift=16),
    _Look(scale=0.4),
    _Look(scale=1.25, gamma=1.4),
    _Look(gamma=0.7),
)

ERROR_PASSES: Final = 1 + len(_LOOKS)
"""Forward passes over the whole picture, one of them at 1.25 of its size."""


def confidence(
    luminance: Float,
    chroma: Float,
    spec: InputSpec,
    engine: Engine,
    listener: Callable[[int, int], None] | None = None,
) -> Float:
    """Return the confidence (H, W) in [0, 1] of the color that was predicted for a luminance copy (H, W).

    It is the share of `predict_error`, whose arguments and errors it shares.
    """
    return predict_error(luminance, chroma, spec, engine, listener).share_close()


def predict_error(
    luminance: Float,
    chroma: Float,
    spec: InputSpec,
    engine: Engine,
    listener: Callable[[int, int], None] | None = None,
) -> PredictedError:
    """Return how doubtful the color is that was predicted for a luminance copy (H, W).

    `luminance` is in [0, 1], the copy that `colorizer.colorize` was given, and `chroma` (2, h, w) what it
    gave; the looks are taken at the size of the first whole-picture pass. `listener` is called with the looks
    done and the looks in all; whatever it raises stops the work. Raises OutOfMemory.
    """
    height, width = luminance.shape
    seen = apply_stretch(luminance, contrast_stretch(luminance))
    shape = first_pass_shape(height, width, spec)
    planes = infer_planes(engine, resample.resize(seen, *shape), spec.multiple)
    first, foretold = planes[:2], planes[2:]
    distances = np.zeros(shape, np.float32)
    for done, look in enumerate(_LOOKS, start=1):
        if listener:
            listener(done, ERROR_PASSES)
        distances += np.hypot(*(_again(look, seen, shape, spec.multiple, engine) - first))
    if listener:
        listener(ERROR_PASSES, ERROR_PASSES)
    spread = distances / np.float32(len(_LOOKS))
    claimed = resample.resize(np.hypot(*chroma), height, width)
    unsure = resample.resize(spread, height, width) + np.float32(_CLAIM) * claimed
    room = np.sqrt(np.clip(np.minimum(luminance, 1 - luminance), 0, 0.5))
    doubts = np.asarray((unsure + np.float32(_FLOOR)) * room, dtype=np.float32)
    if len(foretold):
        return PredictedError(np.sqrt(doubts * resample.resize(foretold[0], height, width)), HEAD_CALIBRATION)
    return PredictedError(doubts, AUGMENTATION_CALIBRATION)


def _again(look: _Look, seen: Float, shape: tuple[int, int], multiple: int, engine: Engine) -> Float:
    """Return the chroma (2, h, w) of another look, brought back to the place and size of the first."""
    height, width = (max(1, round(look.scale * side)) for side in shape)
    plane = resample.resize(seen, height, width) ** np.float32(look.gamma)
    if look.mirrored:
        plane = plane[:, ::-1]
    if look.shift:
        plane = np.pad(plane, ((look.shift, 0), (look.shift, 0)), mode="reflect")
    chroma = infer_chroma(engine, plane, multiple)[:, look.shift :, look.shift :]
    return resample.resize(chroma[:, :, ::-1] if look.mirrored else chroma, *shape)
