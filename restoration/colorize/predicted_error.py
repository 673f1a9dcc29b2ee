"""Predicted error of the inferred chroma, and the confidence that follows from it.

The network predicts the same picture again under test-time augmentations that should leave its colors as they
are: mirrored and shifted, reduced and enlarged, darker and brighter. Where the predictions differ, it is
unsure. Two more quantities limit the error of a prediction: its own chroma, and the headroom that a tone
has for chroma, since near black and near white every color is small::

    error = (mean distance + 0.5 |chroma| + 0.04) sqrt(min(Y, 1 - Y))

With an error head (`restoration.generators.networks.error_head`) the network predicts its error itself; then
the predicted error is the geometric mean of the two.

The confidence is the share of pixels with that predicted error whose chroma was within `CLOSE` of the truth,
calibrated on pictures whose colors are known (docs/decisions/0012-confidence.md).
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
"""Maximum distance of (Cb, Cr) from the truth of a color that counts as right: 13 of 255 steps."""

_CHROMA_WEIGHT = 0.5
_MIN_DISTANCE = 0.04


@dataclass(frozen=True, slots=True)
class Calibration:
    """Logistic curve from predicted error to the share of right colors, measured with one model."""

    middle: float
    """Predicted error at which half of the pixels are close to the truth."""
    slope: float
    """Decrease of the logit of that share when the predicted error grows e-fold."""


AUGMENTATION_CALIBRATION: Final = Calibration(0.0465, 1.34)
"""Measured with archive-2, which has no error head."""
HEAD_CALIBRATION: Final = Calibration(0.0489, 1.88)
"""Measured with archive-3, which has an error head."""


@dataclass(frozen=True, slots=True)
class PredictedError:
    """Predicted error of each pixel, and its calibration."""

    values: Float
    """(H, W), not negative: distance of (Cb, Cr) from the truth, up to a monotonic scale."""
    calibration: Calibration

    def confidence(self) -> Float:
        """Return the share (H, W) float32 in [0, 1] of such pixels whose color was `CLOSE` to the truth."""
        with np.errstate(divide="ignore"):
            odds = np.log(self.values / np.float32(self.calibration.middle)) * np.float32(
                self.calibration.slope
            )
        return np.asarray(1 / (1 + np.exp(odds)), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class _Augmentation:
    """A change of the network input that should leave its colors as they are."""

    scale: float = 1.0
    mirrored: bool = False
    shift: int = 0
    """Rows and columns of reflected picture put before the first."""
    gamma: float = 1.0


_AUGMENTATIONS: Final = (
    _Augmentation(mirrored=True, shift=16),
    _Augmentation(scale=0.4),
    _Augmentation(scale=1.25, gamma=1.4),
    _Augmentation(gamma=0.7),
)

ERROR_PASSES: Final = 1 + len(_AUGMENTATIONS)
"""Whole-picture passes at the size of the first palette pass: one as it is, and the augmented ones."""


def confidence(
    luminance: Float,
    chroma: Float,
    spec: InputSpec,
    engine: Engine,
    listener: Callable[[int, int], None] | None = None,
) -> Float:
    """Return the confidence (H, W) float32 in [0, 1] of the chroma inferred for the luminance (H, W).

    Arguments and errors are those of `predict_error`.
    """
    return predict_error(luminance, chroma, spec, engine, listener).confidence()


def predict_error(
    luminance: Float,
    chroma: Float,
    spec: InputSpec,
    engine: Engine,
    listener: Callable[[int, int], None] | None = None,
) -> PredictedError:
    """Predict the error of the chroma (2, h, w) that `colorize` inferred for the luminance (H, W) in [0, 1].

    The augmented passes have the size of the first whole-picture pass. `listener` is called with the passes
    done and `ERROR_PASSES`; an exception from it stops the work. Raises OutOfMemory, FloatingPointError if
    the engine returned numbers that are not finite.
    """
    height, width = luminance.shape
    stretched = apply_stretch(luminance, contrast_stretch(luminance))
    shape = first_pass_shape(height, width, spec)
    planes = infer_planes(engine, resample.resize(stretched, *shape), spec.multiple)
    plain, head_error = planes[:2], planes[2:]
    distances = np.zeros(shape, np.float32)
    for done, augmentation in enumerate(_AUGMENTATIONS, start=1):
        if listener:
            listener(done, ERROR_PASSES)
        augmented = _augmented_chroma(augmentation, stretched, shape, spec.multiple, engine)
        distances += np.hypot(*(augmented - plain))
    if listener:
        listener(ERROR_PASSES, ERROR_PASSES)
    distance = resample.resize(distances / np.float32(len(_AUGMENTATIONS)), height, width)
    magnitude = resample.resize(np.hypot(*chroma), height, width)
    headroom = np.sqrt(np.clip(np.minimum(luminance, 1 - luminance), 0, 0.5))
    unsure = distance + np.float32(_CHROMA_WEIGHT) * magnitude
    error = np.asarray((unsure + np.float32(_MIN_DISTANCE)) * headroom, dtype=np.float32)
    if len(head_error):
        error = np.sqrt(error * resample.resize(head_error[0], height, width))
        return PredictedError(error, HEAD_CALIBRATION)
    return PredictedError(error, AUGMENTATION_CALIBRATION)


def _augmented_chroma(
    augmentation: _Augmentation, stretched: Float, shape: tuple[int, int], multiple: int, engine: Engine
) -> Float:
    """Return the chroma (2, h, w) of an augmented input, brought back to the place and size of `shape`."""
    height, width = (max(1, round(augmentation.scale * side)) for side in shape)
    network_input = resample.resize(stretched, height, width) ** np.float32(augmentation.gamma)
    shift = augmentation.shift
    if augmentation.mirrored:
        network_input = network_input[:, ::-1]
    if shift:
        network_input = np.pad(network_input, ((shift, 0), (shift, 0)), mode="reflect")
    chroma = infer_chroma(engine, network_input, multiple)[:, shift:, shift:]
    return resample.resize(chroma[:, :, ::-1] if augmentation.mirrored else chroma, *shape)
