import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restoration import Preset, resample
from restoration.colorizer import Sizes, colorize, contrast_stretch, count_windows, guide_side

SIZES = Sizes(256, 32)


class Moody:
    """Gives each window a palette of its own, as a network with instance normalization does."""

    name = "test/cpu/moody"

    def predict(self, gray: np.ndarray) -> np.ndarray:
        mood = gray.mean(axis=(1, 2), keepdims=True) - 0.5
        return np.stack((gray * 0 + mood, gray * 0.1 - mood), axis=1).astype(np.float32)


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
    field = colorize(picture(height, width), preset, SIZES, Moody())
    assert field.windows == count_windows(height, width, preset, SIZES)
    assert np.abs(field.chroma).max() <= 0.5
    long, short = max(field.chroma.shape[1:]), min(field.chroma.shape[1:])
    assert short == max(1, round(min(height, width) * long / max(height, width)))


def test_fast_is_one_look_at_the_whole_picture() -> None:
    assert colorize(picture(600, 500), Preset.FAST, SIZES, Moody()).windows == 1


def test_each_preset_looks_closer_than_the_one_before() -> None:
    counts = [
        count_windows(3000, 2000, p, SIZES)
        for p in (Preset.FAST, Preset.BALANCED, Preset.FINE, Preset.NATIVE)
    ]
    assert counts == sorted(set(counts))


@pytest.mark.parametrize("preset", [Preset.BALANCED, Preset.FINE, Preset.NATIVE])
def test_windows_cannot_move_the_palette(preset: Preset) -> None:
    ramp = np.linspace(0, 1, 900, dtype=np.float32) * np.ones((700, 1), np.float32)
    whole = colorize(ramp, Preset.FAST, SIZES, Moody()).chroma
    detailed = colorize(ramp, preset, SIZES, Moody()).chroma
    assert detailed.shape[2] > whole.shape[2]
    assert np.abs(resample.reduce(detailed, *whole.shape[1:]) - whole).max() < 0.01


def test_windows_leave_no_seams() -> None:
    ramp = np.linspace(0, 1, 900, dtype=np.float32) * np.ones((700, 1), np.float32)
    detailed = colorize(ramp, Preset.FINE, SIZES, Moody()).chroma
    assert np.abs(np.diff(detailed[0], axis=1)).max() < 0.005


def test_the_listener_hears_each_window_and_can_stop_the_work() -> None:
    heard: list[tuple[int, int]] = []

    def listen(done: int, total: int) -> None:
        heard.append((done, total))
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        colorize(picture(600, 600), Preset.FINE, SIZES, Moody(), listen)
    assert [done for done, _ in heard] == [1, 2, 3]


def test_windows_come_by_the_dozen_and_each_lands_in_its_place() -> None:
    class Counting(Moody):
        def __init__(self) -> None:
            self.handed: list[int] = []

        def predict(self, gray: np.ndarray) -> np.ndarray:
            self.handed.append(len(gray))
            return np.concatenate([super(Counting, self).predict(part[None]) for part in gray])

    engine = Counting()
    field = colorize(picture(1300, 1100), Preset.NATIVE, SIZES, engine)

    assert engine.handed[0] == 1
    assert set(engine.handed[1:-1]) == {32}
    assert sum(engine.handed) == field.windows
    assert np.allclose(field.chroma, colorize(picture(1300, 1100), Preset.NATIVE, SIZES, Moody()).chroma)


def test_numbers_that_are_not_finite_are_never_painted() -> None:
    with pytest.raises(FloatingPointError, match="broken"):
        colorize(picture(50, 50), Preset.FAST, SIZES, Broken())


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


def test_native_works_on_a_larger_copy() -> None:
    assert guide_side(Preset.NATIVE) > guide_side(Preset.FINE)
