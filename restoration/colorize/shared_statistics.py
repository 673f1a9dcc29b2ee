"""With which normalization statistics the windows of a picture are run, so that they share one palette.

A generator that normalizes by instance gives each window a palette of its own and blows up the grain of blank
ones. So statistics are measured once for a picture and a scale, pooled over the whole-picture pass and over
windows side by side::

    mean = sum w m;  var = sum w (v + (m - mean)^2), not under a floor

and every window is run with them as constants. Half of the weight is the whole picture's.
"""

import numpy as np

from restoration.arrays import tiling
from restoration.arrays.luma import Float
from restoration.colorize.plan import statistics_tiles, statistics_windows
from restoration.errors import EngineUnavailable
from restoration.generators.engines import Engine, InstanceEngine
from restoration.generators.models import InputSpec

WHOLE_SHARE = 0.5
"""Weight of the whole picture's statistics among those of its windows."""


def with_shared_statistics(
    engine: Engine, spec: InputSpec, whole: Float, detail: Float | None = None
) -> tuple[Engine, int]:
    """Return the engine as it runs with the statistics of a picture, and how many windows were measured.

    `whole` (h, w) is the copy of the whole-picture pass and `detail` (H, W) the one that is cut into windows,
    both in [0, 1]; without `detail` they are those of the whole picture alone. A generator with fixed
    statistics stays as it is, unmeasured. Raises EngineUnavailable if the engine cannot do that, OutOfMemory.
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
        windows = np.stack([_window(detail, top, left) for top, left in statistics_windows(*detail.shape)])
        shares = np.full(len(windows), (1 - WHOLE_SHARE) / len(windows), np.float32)
        pictures = np.concatenate((pictures, windows))
        weights = np.concatenate((WHOLE_SHARE * weights, shares))
    return engine.with_statistics(pictures, weights), len(pictures)


def _tile(plane: Float, top: int, left: int) -> Float:
    """Cut 256 x 256 out of a plane (h, w) that goes on reflected at its lower and right edge."""
    above, before = min(top, tiling.WINDOW), min(left, tiling.WINDOW)
    part = plane[top - above : top + tiling.WINDOW, left - before : left + tiling.WINDOW]
    lacking = (above + tiling.WINDOW - part.shape[0], before + tiling.WINDOW - part.shape[1])
    return np.pad(part, [(0, count) for count in lacking], mode="reflect")[above:, before:]


def _window(plane: Float, top: int, left: int) -> Float:
    part = plane[top : top + tiling.WINDOW, left : left + tiling.WINDOW]
    return tiling.pad(part, tiling.WINDOW, tiling.WINDOW)
