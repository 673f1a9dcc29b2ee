"""Exact area averaging of a picture that arrives strip by strip.

If each source row is cut into as many parts as the target has rows, source and target rows overlap by a whole
number of parts; likewise for columns. So all sums are sums of integers, and no strip height, no order and no
machine can change the last bit of a mean. (OpenCV's INTER_AREA needs the whole picture and sums in float32.)
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from restoration.arrays.luma import Float, Gray

_Sums: TypeAlias = npt.NDArray[np.int64]

_UINT32_ROWS = 1 << 16
"""Number of rows of 16-bit samples whose sum fits 32 bits."""


class AreaMean:
    """Averages strips (h, W, bands) uint8 or uint16 to planes (bands, height, width) float32 in [0, 1].

    The source has `rows` and `columns`; the target `height` and `width` are at most as large. The sums fit
    the maximum size of a master, 16 gigabytes of samples.
    """

    def __init__(self, rows: int, columns: int, height: int, width: int) -> None:
        self._rows, self._columns = rows, columns
        self._height, self._width = height, width
        self._top = 0
        self._target = 0
        self._open: _Sums = np.zeros(0, np.int64)
        self._full = 1
        self._planes: Float = np.zeros((0, height, width), np.float32)

    def add(self, samples: Gray) -> None:
        """Add the next rows (h, W, bands), all of one dtype."""
        count, _, bands = samples.shape
        if not self._open.size:
            self._open = np.zeros(self._columns * bands, np.int64)
            self._full = int(np.iinfo(samples.dtype).max)
            self._planes = np.zeros((bands, self._height, self._width), np.float32)
        flat = samples.reshape(count, -1)
        at = 0
        while at < count:
            # Row i of the source covers [i h, i h + h); row j of the target [j H, j H + H).
            end = (self._target + 1) * self._rows
            whole = min(end // self._height - self._top, count - at)
            if whole:
                self._open += self._height * _sum_of_rows(flat[at : at + whole])
                at += whole
                self._top += whole
            if at < count or self._top * self._height == end:
                share = end - self._top * self._height
                if share:
                    self._open += share * flat[at].astype(np.int64)
                self._finish_row(bands)
                if share:
                    self._open += (self._height - share) * flat[at].astype(np.int64)
                    at += 1
                    self._top += 1

    def planes(self) -> Float:
        """Return the means (bands, height, width) float32. Raises ValueError if rows are missing."""
        if self._target != self._height:
            raise ValueError(f"{self._top} of {self._rows} rows were added")
        return self._planes

    def _finish_row(self, bands: int) -> None:
        columns = self._open.reshape(-1, bands)
        sums = np.zeros((self._columns + 1, bands), np.int64)
        np.cumsum(columns, axis=0, out=sums[1:])
        below, part = np.divmod(np.arange(self._width + 1) * self._columns, self._width)
        at_edges = self._width * sums[below] + part[:, None] * columns[np.minimum(below, self._columns - 1)]
        weight = self._rows * self._columns * self._full
        self._planes[:, self._target] = (np.diff(at_edges, axis=0) / weight).T
        self._target += 1
        self._open[:] = 0


def _sum_of_rows(rows: Gray) -> _Sums:
    wide = np.uint32 if len(rows) < _UINT32_ROWS else np.uint64
    return np.asarray(np.add.reduce(rows, axis=0, dtype=wide), np.int64)
