import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restoration import Preset
from restoration.arrays import resample, tiling
from restoration.colorize.inference import colorize, contrast_stretch
from restoration.colorize.plan import count_windows
from restoration.generators.models import InputSpec

SPEC = InputSpec(256, 32)


class OwnPalettes:
    """Gives each window a palette of its own, as instance normalization does."""

    name = "test/cpu/own-palettes"

    def predict(self, gray: np.ndarray) -> np.ndarray:
        offset = gray.mean(axis=(1, 2), keepdims=True) - 0.5
        return np.stack((gray * 0 + offset, gray * 0.1 - offset), axis=1).astype(np.float32)


class Broken:
    name = "test/cpu/broken"

    def predict(self, gray: np.ndarray) -> np.ndarray:
        return np.full((len(gray), 2, *gray.shape[1:]), np.nan, np.float32)


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height + width).random((height, width), dtype=np.float32)


@given(st.integers(1, 700), st.integers(1, 700), st.sampled_from(Preset))
@settings(max_examples=25, deadline=None)
def test_any_size_and_preset_gives_a_field_of_the_same_aspect(
    height: int, width: int, preset: Preset
) -> None:
    field = colorize(picture(height, width), preset, SPEC, OwnPalettes())
    assert field.windows == count_windows(height, width, preset, SPEC)
    assert np.abs(field.chroma).max() <= 0.5
    long, short = max(field.chroma.shape[1:]), min(field.chroma.shape[1:])
    assert short == max(1, round(min(height, width) * long / max(height, width)))


def ramp() -> np.ndarray:
    """More pixels than are shown in one piece, so that native cuts it into windows."""
    return np.linspace(0, 1, 1400, dtype=np.float32) * np.ones((900, 1), np.float32)


@pytest.mark.parametrize("preset", [Preset.FINE, Preset.NATIVE])
def test_a_detail_pass_cannot_move_the_palette(preset: Preset) -> None:
    field = colorize(ramp(), preset, SPEC, OwnPalettes())
    assert field.chroma.shape[2] > field.palette.shape[2]
    assert (field.stride is not None) == (preset is Preset.NATIVE)
    assert np.abs(resample.reduce(field.chroma, *field.palette.shape[1:]) - field.palette).max() < 0.01


def test_the_palette_is_the_mean_of_the_whole_picture_passes() -> None:
    class Counting(OwnPalettes):
        def predict(self, gray: np.ndarray) -> np.ndarray:
            return np.full((len(gray), 2, *gray.shape[1:]), 1e-4 * max(gray.shape), np.float32)

    assert colorize(ramp(), Preset.FAST, SPEC, Counting()).palette == pytest.approx(0.0288)
    assert colorize(ramp(), Preset.BALANCED, SPEC, Counting()).palette == pytest.approx(0.0384)


def test_the_color_of_a_mirrored_pass_is_flipped_back() -> None:
    class Sided(OwnPalettes):
        def predict(self, gray: np.ndarray) -> np.ndarray:
            return np.stack((0.5 * gray, -0.5 * gray), axis=1)

    palette = colorize(ramp(), Preset.FAST, SPEC, Sided()).palette
    shown = resample.resize(ramp(), *palette.shape[1:])
    assert np.abs(palette[0] - 0.5 * shown).max() < 0.01


def test_windows_leave_no_seams() -> None:
    detailed = colorize(ramp(), Preset.NATIVE, SPEC, OwnPalettes()).chroma
    assert np.abs(np.diff(detailed[0], axis=1)).max() < 0.005


def test_the_position_of_the_windows_hardly_matters() -> None:
    here = colorize(ramp(), Preset.NATIVE, SPEC, OwnPalettes())
    shifted = colorize(ramp(), Preset.NATIVE, SPEC, OwnPalettes(), offset=(37, 101))
    assert (here.offset, shifted.offset) == ((0, 0), (37, 101))
    assert 0 < np.abs(here.chroma - shifted.chroma).max() < 0.01


def test_the_listener_hears_each_window_and_can_stop_the_work() -> None:
    heard: list[int] = []

    def listen(done: int, total: int) -> None:
        assert total == count_windows(900, 1400, Preset.NATIVE, SPEC)
        heard.append(done)
        if len(heard) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        colorize(ramp(), Preset.NATIVE, SPEC, OwnPalettes(), listen)
    assert heard == [1, 4, 5, 6]


def test_windows_of_a_batch_land_in_their_places() -> None:
    class Counting(OwnPalettes):
        def __init__(self) -> None:
            self.handed: list[int] = []

        def predict(self, gray: np.ndarray) -> np.ndarray:
            self.handed.append(len(gray))
            return np.concatenate([super(Counting, self).predict(part[None]) for part in gray])

    engine = Counting()
    field = colorize(picture(1300, 1100), Preset.NATIVE, SPEC, engine)

    assert engine.handed[:2] == [1, 1]  # the whole picture
    assert set(engine.handed[2:-1]) == {32}
    assert sum(engine.handed[2:]) == tiling.window_count(*field.chroma.shape[1:], stride=128)
    assert np.allclose(field.chroma, colorize(picture(1300, 1100), Preset.NATIVE, SPEC, OwnPalettes()).chroma)


def test_numbers_that_are_not_finite_are_refused() -> None:
    with pytest.raises(FloatingPointError, match="broken"):
        colorize(picture(50, 50), Preset.FAST, SPEC, Broken())


@given(st.floats(0, 1), st.floats(0, 1))
def test_contrast_at_most_doubles(a: float, b: float) -> None:
    plane = np.linspace(min(a, b), max(a, b), 1000, dtype=np.float32)
    low, high = contrast_stretch(plane)
    assert 0 <= low < high <= 1
    assert high - low >= 0.5 - 1e-5


def test_a_faded_scan_is_stretched_a_blank_one_is_not() -> None:
    faded = np.linspace(0.3, 0.9, 1000, dtype=np.float32)
    assert contrast_stretch(faded) == pytest.approx((0.303, 0.897), abs=0.002)
    assert contrast_stretch(np.full(1000, 0.6, np.float32)) == (0, 1)
