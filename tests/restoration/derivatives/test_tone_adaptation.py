"""Chroma under another tone curve, beside an equation solved by bisection."""

import numpy as np
import pytest

from restoration.arrays.buffer_pool import BufferPool
from restoration.arrays.luma import luma, rgb_with_luma
from restoration.arrays.tone_curve import ToneCurve
from restoration.derivatives.tone_adaptation import ToneTables

WEIGHTS = np.array([0.299, 0.587, 0.114])


def linear(values: np.ndarray) -> np.ndarray:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def srgb_of(light: np.ndarray) -> np.ndarray:
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def power(gamma: float) -> ToneCurve:
    return ToneCurve("", (np.linspace(0, 1, 65536) ** gamma).astype(np.float32))


def shown_color(gray: float, cb: float, cr: float, gamma: float) -> np.ndarray:
    """The sRGB color of that chroma whose samples under a power law have the luma `gray`."""
    offset = np.array([1.402 * cr, -0.344136 * cb - 0.714136 * cr, 1.772 * cb])
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        samples = linear(np.clip(middle + offset, 0, 1)) ** (1 / gamma)
        low, high = (middle, high) if samples @ WEIGHTS < gray else (low, middle)
    return np.clip(low + offset, 0, 1)


@pytest.mark.parametrize("gamma", [1.0, 1.4, 1.8, 2.2, 2.8])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_shown_color_solves_the_equation(gamma: float, dtype: type) -> None:
    rng = np.random.default_rng(7)
    top = np.iinfo(dtype).max
    # Where it is shown in the middle of the range the gamut holds these colors.
    gray = np.rint(linear(rng.uniform(0.3, 0.7, 300)) ** (1 / gamma) * top).astype(dtype)[None]
    cb, cr = rng.uniform(-0.12, 0.12, (2, 1, 300)).astype(np.float32)
    tone_tables, buffers = ToneTables.for_curve(power(gamma), dtype), BufferPool()
    rgb = rgb_with_luma(
        gray, *tone_tables.adapt_chroma(gray, tone_tables.srgb_values(gray, buffers), cb, cr, buffers)
    )
    shown = srgb_of((rgb[0] / top) ** gamma)
    wanted = [shown_color(*one, gamma) for one in zip(gray[0] / top, cb[0], cr[0], strict=True)]
    off = np.abs(shown - np.array(wanted))
    assert np.array_equal(luma(rgb), gray)
    assert off.mean() < (0.004 if dtype == np.uint8 else 0.002)
    assert off.max() < 0.04


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.2, 5.0])
def test_any_chroma_leaves_luma_exact(gamma: float, dtype: type) -> None:
    rng = np.random.default_rng(8)
    gray = rng.integers(0, np.iinfo(dtype).max + 1, (64, 64)).astype(dtype)
    gray[0, :2] = 0, np.iinfo(dtype).max
    cb, cr = rng.uniform(-0.5, 0.5, (2, 64, 64)).astype(np.float32)
    tone_tables, buffers = ToneTables.for_curve(power(gamma), dtype), BufferPool()
    laid = tone_tables.adapt_chroma(gray, tone_tables.srgb_values(gray, buffers), cb, cr, buffers)
    assert all(np.abs(plane).max() <= 0.5 + 1e-6 for plane in laid)
    assert np.array_equal(luma(rgb_with_luma(gray, *laid)), gray)


def test_no_chroma_is_gray() -> None:
    gray = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    none = np.zeros(gray.shape, np.float32)
    tone_tables, buffers = ToneTables.for_curve(power(1.0), np.uint16), BufferPool()
    laid = tone_tables.adapt_chroma(gray, tone_tables.srgb_values(gray, buffers), none, none, buffers)
    assert np.array_equal(rgb_with_luma(gray, *laid), np.stack([gray] * 3, axis=-1))
