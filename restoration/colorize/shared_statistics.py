"""Normalization statistics that all windows of a picture share, so that they share one palette.

A generator that normalizes by instance (Ulyanov et al. 2016) gives each window a palette of its own and
amplifies the grain of blank ones. So the statistics are measured once for a picture and a scale, pooled over
the whole-picture pass and over windows side by side::

    mean = sum w m;  var = sum w (v + (m - mean)^2), with a floor

and every window is run with them as constants. The whole picture has half of the weight.
"""

import numpy as np

from restoration.arrays import tiling
from restoration.arrays.luma import Float
from restoration.colorize.plan import statistics_tiles, statistics_windows
from restoration.errors import EngineUnavailable
from restoration.generators.engines import Engine, InstanceEngine
from restoration.generators.models import InputSpec

WHOLE_WEIGHT = 0.5
"""Weight of the whole picture's statistics; the windows have the rest."""


def with_shared_statistics(
    engine: Engine, spec: InputSpec, whole: Float, detail: Float | None = None
) -> tuple[Engine, int]:
    """Return the engine with the statistics of a picture as constants, and the number of windows measured.

    `whole` (h, w) is the network input of the whole-picture pass and `detail` (H, W) that of the detail pass,
    float32 in [0, 1]; without `detail` the statistics are those of the whole picture alone. An engine whose
    generator has fixed statistics is returned unchanged. Raises EngineUnavailable if the engine does not
    support shared statistics, OutOfMemory.
    """
    if spec.statistics == "fixed":
        return engine, 0
    if not isinstance(engine, InstanceEngine):
        raise EngineUnavailable(
            reason=f"the engine {engine.name} cannot run a generator with a picture's statistics",
            remedy="use the device cpu or cuda with the engine torch for this model",
        )
    tiles = statistics_tiles(*whole.shape, alone=detail is None)
    pictures = np.stack([_tile(whole, top, left) for top, left in tiles])
    weights = np.full(len(pictures), 1 / len(pictures), np.float32)
    if detail is not None:
        places = statistics_windows(*detail.shape)
        windows = np.stack([_window(detail, top, left) for top, left in places])
        shares = np.full(len(windows), (1 - WHOLE_WEIGHT) / len(windows), np.float32)
        pictures = np.concatenate((pictures, windows))
        weights = np.concatenate((WHOLE_WEIGHT * weights, shares))
    return engine.with_statistics(pictures, weights), len(pictures)


def _tile(network_input: Float, top: int, left: int) -> Float:
    """Return a tile (256, 256) of an input (h, w), reflected at its lower and right edge."""
    above, before = min(top, tiling.WINDOW), min(left, tiling.WINDOW)
    part = network_input[top - above : top + tiling.WINDOW, left - before : left + tiling.WINDOW]
    lacking = (above + tiling.WINDOW - part.shape[0], before + tiling.WINDOW - part.shape[1])
    return np.pad(part, [(0, count) for count in lacking], mode="reflect")[above:, before:]


def _window(network_input: Float, top: int, left: int) -> Float:
    """Return a window (256, 256) of an input (h, w), reflected where that is smaller."""
    part = network_input[top : top + tiling.WINDOW, left : left + tiling.WINDOW]
    return tiling.pad(part, tiling.WINDOW, tiling.WINDOW)
