from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from restoration import Preset
from restoration.colorize.inference import colorize
from restoration.colorize.predicted_error import ERROR_PASSES, confidence
from restoration.generators.engines import Engine
from restoration.generators.models import InputSpec

SPEC = InputSpec(256, 32)
Floats = NDArray[np.float32]


class _Painter:
    """A fake engine: Cb of each picture (H, W) is what `paint` returns, Cr the negative."""

    name = "test/cpu/painter"

    def predict(self, gray: Floats) -> Floats:
        one = np.stack([self.paint(picture) for picture in gray])
        return np.stack((one, -one), axis=1).astype(np.float32)

    def paint(self, picture: Floats) -> Floats:
        raise NotImplementedError


class ByTone(_Painter):
    """Colors by tone alone, whatever the exposure of a black and white picture."""

    def paint(self, picture: Floats) -> Floats:
        return 0.3 * (picture > 0.5)


class ByPlace(_Painter):
    """Colors by place: warm at one side, cold at the other."""

    def paint(self, picture: Floats) -> Floats:
        return np.linspace(-0.3, 0.3, picture.shape[1], dtype=np.float32) * np.ones_like(picture)


class ByBrightness(_Painter):
    """Colors by the brightness of the whole picture."""

    def paint(self, picture: Floats) -> Floats:
        return np.full_like(picture, picture.mean() - 0.5)


class OneColor(_Painter):
    """Colors everything the same."""

    def __init__(self, value: float) -> None:
        self.value = value

    def paint(self, picture: Floats) -> Floats:
        return np.full_like(picture, self.value)


class Broken(_Painter):
    def paint(self, picture: Floats) -> Floats:
        return np.full_like(picture, np.nan)


def confidence_of(
    luminance: Floats, engine: Engine, listener: Callable[[int, int], None] | None = None
) -> Floats:
    chroma = colorize(luminance, Preset.FAST, SPEC, engine).chroma
    return confidence(luminance, chroma, SPEC, engine, listener)


def plane(height: int, width: int) -> Floats:
    return np.random.default_rng(height * width).random((height, width), dtype=np.float32)


@given(st.integers(1, 400), st.integers(1, 400))
@settings(max_examples=15, deadline=None)
def test_each_pixel_of_any_picture_gets_a_confidence(height: int, width: int) -> None:
    found = confidence_of(plane(height, width), ByBrightness())
    assert found.shape == (height, width)
    assert found.dtype == np.float32
    assert 0 <= found.min() <= found.max() <= 1


def test_predictions_are_compared_at_the_same_place() -> None:
    # A lopsided picture: if a pass were not flipped and shifted back, the halves would disagree.
    lopsided = np.full((200, 256), 0.2, np.float32)
    lopsided[:, :80] = 0.8
    sure = confidence_of(lopsided, ByTone())
    dark = confidence_of(lopsided, OneColor(0.0))
    light = confidence_of(lopsided, OneColor(0.3))
    assert np.allclose(sure[:, 90:], dark[:, 90:], atol=1e-4)
    assert np.allclose(sure[:, :70], light[:, :70], atol=1e-4)


def test_color_that_depends_on_the_place_is_trusted_less() -> None:
    found = confidence_of(np.full((128, 256), 0.5, np.float32), ByPlace())
    left, middle, right = found[:, :20].mean(), found[:, 118:138].mean(), found[:, -20:].mean()
    assert middle > left + 0.2
    assert middle > right + 0.2


def test_color_that_depends_on_exposure_is_trusted_less() -> None:
    picture = plane(200, 256) * 0.5 + 0.25
    level = abs(float(picture.mean()) - 0.5)
    assert (
        confidence_of(picture, ByBrightness()).mean() < confidence_of(picture, OneColor(level)).mean() - 0.1
    )


def test_strong_color_is_trusted_less_than_faint_color() -> None:
    picture = plane(64, 256)
    shares = [confidence_of(picture, OneColor(value)).mean() for value in (0.0, 0.05, 0.2)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > shares[-1] + 0.2


def test_black_and_white_have_no_room_for_error() -> None:
    halves = np.zeros((64, 64), np.float32)
    halves[:, 32:] = 1
    found = confidence_of(halves, ByPlace())
    assert np.all(found == 1)


def test_the_same_picture_gets_the_same_confidence() -> None:
    picture = plane(130, 170)
    assert np.array_equal(confidence_of(picture, ByBrightness()), confidence_of(picture, ByBrightness()))


def test_the_listener_hears_each_pass_and_can_stop_the_work() -> None:
    heard: list[tuple[int, int]] = []
    confidence_of(plane(40, 40), ByBrightness(), lambda done, total: heard.append((done, total)))
    assert heard == [(done, ERROR_PASSES) for done in range(1, ERROR_PASSES + 1)]

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        confidence_of(plane(40, 40), ByBrightness(), stop)


def test_numbers_that_are_not_finite_are_told() -> None:
    with pytest.raises(FloatingPointError, match="test/cpu/painter"):
        confidence_of(plane(40, 40), Broken())


class WithErrorHead(OneColor):
    """Predicts a larger error for the right half of every picture than for the left one."""

    def predict(self, gray: Floats) -> Floats:
        error = np.full_like(gray, 0.01)
        error[..., gray.shape[-1] // 2 :] = 0.1
        return np.concatenate((super().predict(gray), error[:, None]), axis=1)


def test_an_error_head_lowers_the_confidence() -> None:
    picture = np.full((128, 256), 0.5, np.float32)
    found = confidence_of(picture, WithErrorHead(0.05))
    assert found[:, :100].mean() > found[:, -100:].mean() + 0.2
    assert np.ptp(confidence_of(picture, OneColor(0.05))) < 1e-3
