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
    """A network in miniature: gives each picture (H, W) the chroma that `paint` says, as Cb and Cr."""

    name = "test/cpu/painter"

    def predict(self, gray: Floats) -> Floats:
        one = np.stack([self.paint(picture) for picture in gray])
        return np.stack((one, -one), axis=1).astype(np.float32)

    def paint(self, picture: Floats) -> Floats:
        raise NotImplementedError


class Decided(_Painter):
    """Says what it says by the tone alone, whatever the exposure of a black and white picture."""

    def paint(self, picture: Floats) -> Floats:
        return 0.3 * (picture > 0.5)


class Sided(_Painter):
    """Paints by the place: warm at one side, cold at the other."""

    def paint(self, picture: Floats) -> Floats:
        return np.linspace(-0.3, 0.3, picture.shape[1], dtype=np.float32) * np.ones_like(picture)


class Fickle(_Painter):
    """Paints by how bright the whole picture is."""

    def paint(self, picture: Floats) -> Floats:
        return np.full_like(picture, picture.mean() - 0.5)


class Same(_Painter):
    """Paints everything in one color."""

    def __init__(self, value: float) -> None:
        self.value = value

    def paint(self, picture: Floats) -> Floats:
        return np.full_like(picture, self.value)


class Broken(_Painter):
    def paint(self, picture: Floats) -> Floats:
        return np.full_like(picture, np.nan)


def sure_of(luminance: Floats, engine: Engine, listener: Callable[[int, int], None] | None = None) -> Floats:
    chroma = colorize(luminance, Preset.FAST, SPEC, engine).chroma
    return confidence(luminance, chroma, SPEC, engine, listener)


def plane(height: int, width: int) -> Floats:
    return np.random.default_rng(height * width).random((height, width), dtype=np.float32)


@given(st.integers(1, 400), st.integers(1, 400))
@settings(max_examples=15, deadline=None)
def test_each_pixel_of_any_picture_gets_a_confidence(height: int, width: int) -> None:
    found = sure_of(plane(height, width), Fickle())
    assert found.shape == (height, width)
    assert found.dtype == np.float32
    assert 0 <= found.min() <= found.max() <= 1


def test_predictions_are_compared_at_the_same_place() -> None:
    # A lopsided picture: were a look not mirrored and shifted back, the halves would disagree.
    lopsided = np.full((200, 256), 0.2, np.float32)
    lopsided[:, :80] = 0.8
    sure = sure_of(lopsided, Decided())
    dark = sure_of(lopsided, Same(0.0))
    light = sure_of(lopsided, Same(0.3))
    assert np.allclose(sure[:, 90:], dark[:, 90:], atol=1e-4)
    assert np.allclose(sure[:, :70], light[:, :70], atol=1e-4)


def test_color_that_depends_on_the_place_is_trusted_less() -> None:
    found = sure_of(np.full((128, 256), 0.5, np.float32), Sided())
    left, middle, right = found[:, :20].mean(), found[:, 118:138].mean(), found[:, -20:].mean()
    assert middle > left + 0.2
    assert middle > right + 0.2


def test_color_that_depends_on_exposure_is_trusted_less() -> None:
    picture = plane(200, 256) * 0.5 + 0.25
    level = abs(float(picture.mean()) - 0.5)
    assert sure_of(picture, Fickle()).mean() < sure_of(picture, Same(level)).mean() - 0.1


def test_strong_color_is_trusted_less_than_faint_color() -> None:
    picture = plane(64, 256)
    shares = [sure_of(picture, Same(value)).mean() for value in (0.0, 0.05, 0.2)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > shares[-1] + 0.2


def test_black_and_white_have_no_room_for_error() -> None:
    halves = np.zeros((64, 64), np.float32)
    halves[:, 32:] = 1
    found = sure_of(halves, Sided())
    assert np.all(found == 1)


def test_the_same_picture_gets_the_same_confidence() -> None:
    picture = plane(130, 170)
    assert np.array_equal(sure_of(picture, Fickle()), sure_of(picture, Fickle()))


def test_the_listener_hears_each_pass_and_can_stop_the_work() -> None:
    heard: list[tuple[int, int]] = []
    sure_of(plane(40, 40), Fickle(), lambda done, total: heard.append((done, total)))
    assert heard == [(done, ERROR_PASSES) for done in range(1, ERROR_PASSES + 1)]

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sure_of(plane(40, 40), Fickle(), stop)


def test_numbers_that_are_not_finite_are_told() -> None:
    with pytest.raises(FloatingPointError, match="test/cpu/painter"):
        sure_of(plane(40, 40), Broken())


class Foretelling(Same):
    """Says that the right half of every picture is off by more than the left one."""

    def predict(self, gray: Floats) -> Floats:
        foretold = np.full_like(gray, 0.01)
        foretold[..., gray.shape[-1] // 2 :] = 0.1
        return np.concatenate((super().predict(gray), foretold[:, None]), axis=1)


def test_an_error_head_lowers_the_confidence() -> None:
    picture = np.full((128, 256), 0.5, np.float32)
    found = sure_of(picture, Foretelling(0.05))
    assert found[:, :100].mean() > found[:, -100:].mean() + 0.2
    assert np.ptp(sure_of(picture, Same(0.05))) < 1e-3
