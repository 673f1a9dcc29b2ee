"""Adaptation of chroma to another tone curve, so that the color that is shown is the predicted one.

Chroma is predicted for a gray as it is shown, in sRGB. Under another curve the same color has other samples:
each channel of the shown color passes through the inverse curve. The luma of those samples is not yet the
master's integer, since luma is computed from samples and not from light. So one step of Newton's method makes
the shown color darker or lighter, its Cb and Cr kept; `luma.rgb_with_luma` corrects the rest.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from restoration.arrays.buffer_pool import BufferPool
from restoration.arrays.luma import WEIGHTS, Float, Gray, gamut_scale, rgb_offsets
from restoration.arrays.tone_curve import STEPS, ToneCurve, linear_to_srgb, srgb_to_linear

_MOST_STEP: Final = np.float32(0.25)
_LEAST_SLOPE: Final = np.float32(1e-2)


@dataclass(frozen=True, slots=True)
class ToneTables:
    """A tone curve as tables, for samples of one depth."""

    shown: Float
    """(256,) or (65536,), float32: the sRGB value in [0, 1] that each integer shows."""
    samples: Float
    """(`STEPS`,), float32: the sample in [0, 1] that shows each sRGB value of a linear grid over [0, 1]."""
    slopes: Float
    """(`STEPS`,), float32: derivative of that sample by the sRGB value."""

    @classmethod
    def for_curve(cls, curve: ToneCurve, dtype: type[Any]) -> "ToneTables":
        """Make the tables for samples of a depth, uint8 or uint16."""
        places = np.linspace(0, 1, STEPS)
        shown = linear_to_srgb(curve.of(dtype).astype(np.float64))
        samples = np.interp(srgb_to_linear(places), curve.light.astype(np.float64), places)
        slopes = np.gradient(samples, places)
        return cls(*(table.astype(np.float32) for table in (shown, samples, slopes)))

    def srgb_values(self, gray: Gray, buffers: BufferPool) -> Float:
        """Return the sRGB values (h, W), float32 in [0, 1], that integers show; they are in `buffers`."""
        seen = buffers.array("seen", gray.shape, np.float32)
        return np.take(self.shown, gray, out=seen, mode="clip")

    def adapt_chroma(
        self, gray: Gray, seen: Float, cb: Float, cr: Float, buffers: BufferPool | None = None
    ) -> tuple[Float, Float]:
        """Return Cb and Cr (h, W) of samples with the luma `gray` that show the Cb and Cr that are given.

        `seen` (h, W) is what `gray` shows; where the gamut does not hold a color it is scaled towards gray,
        as by `luma.rgb_with_luma`. All are in [-0.5, 0.5]. The result is in `buffers` if given.
        """
        buffers = buffers or BufferPool()
        scale, spare, luma, slope = (buffers.array(f"laid {i}", gray.shape, np.float32) for i in range(4))
        channels = tuple(buffers.array(f"laid channel {i}", gray.shape, np.float32) for i in range(3))
        red, green, blue = channels
        places = buffers.array("laid places", gray.shape, np.intp)
        rgb_offsets(cb, cr, 1.0, (red, green, blue), spare)
        gamut_scale(seen, (red, green, blue), np.float32(1), scale, (spare, luma))
        luma[...] = 0
        slope[...] = 0
        for channel, weight in zip(channels, WEIGHTS, strict=True):
            np.multiply(channel, scale, out=channel)
            np.add(channel, seen, out=channel)
            _places(channel, places, spare)
            _add(self.samples, places, weight, luma, spare)
            _add(self.slopes, places, weight, slope, spare)
        step = scale
        np.multiply(gray, np.float32(1 / np.iinfo(gray.dtype).max), out=step)
        step -= luma
        step /= np.maximum(slope, _LEAST_SLOPE, out=slope)
        np.clip(step, -_MOST_STEP, _MOST_STEP, out=step)
        luma[...] = 0
        for channel, weight in zip(channels, WEIGHTS, strict=True):
            np.add(channel, step, out=channel)
            _places(channel, places, spare)
            np.take(self.samples, places, out=channel, mode="clip")
            luma += np.multiply(channel, np.float32(weight), out=spare)
        for channel, weight in ((blue, WEIGHTS[2]), (red, WEIGHTS[0])):
            np.subtract(channel, luma, out=channel)
            np.multiply(channel, np.float32(0.5 / (1 - weight)), out=channel)
        return blue, red


def _places(values: Float, out: npt.NDArray[np.intp], spare: Float) -> None:
    """Write the place of each value in a table of `STEPS`; those below 0 or above 1 are beyond its ends."""
    np.multiply(values, np.float32(STEPS - 1), out=spare)
    spare += np.float32(0.5)
    np.copyto(out, spare, casting="unsafe")


def _add(table: Float, places: npt.NDArray[np.intp], weight: float, total: Float, spare: Float) -> None:
    """Add weighted values of a table to `total`."""
    np.take(table, places, out=spare, mode="clip")
    spare *= np.float32(weight)
    total += spare
