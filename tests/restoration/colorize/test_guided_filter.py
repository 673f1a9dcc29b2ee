import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restoration.arrays import resample
from restoration.arrays.box_mean import box_mean
from restoration.colorize.guided_filter import Upsampler


def gray_of(luminance: np.ndarray) -> np.ndarray:
    return np.rint(luminance * 255).astype(np.uint8)


def test_color_stops_at_the_edge_of_the_picture() -> None:
    height, width = 120, 200
    right = np.arange(width) >= 101
    luminance = np.where(right, 0.8, 0.2).astype(np.float32) * np.ones((height, 1), np.float32)
    truth = np.where(right, 0.2, -0.2) * np.ones((height, 1))
    small = resample.reduce(truth[None].astype(np.float32), 6, 10)
    chroma = np.concatenate((small, -small))
    guided = Upsampler.solve(chroma, luminance, height, width).rows(0, gray_of(luminance))
    plain = resample.enlarge(chroma, height, width)
    assert guided[:, 60, 101] - guided[:, 60, 100] == pytest.approx([0.28, -0.28], abs=0.03)
    assert np.abs(np.diff(plain[0, 60])).max() < 0.03


def test_flat_chroma_stays_flat_whatever_the_picture_shows() -> None:
    luminance = np.random.default_rng(0).random((60, 50), dtype=np.float32)
    chroma = np.stack((np.full((15, 12), 0.1), np.full((15, 12), -0.2))).astype(np.float32)
    rows = Upsampler.solve(chroma, luminance, 60, 50).rows(0, gray_of(luminance))
    assert rows[0] == pytest.approx(0.1, abs=1e-5)
    assert rows[1] == pytest.approx(-0.2, abs=1e-5)


def test_chroma_at_guide_size_equals_that_of_such_a_scan() -> None:
    gray = np.random.default_rng(4).integers(0, 256, (60, 50), dtype=np.uint8)
    luminance = gray / np.float32(255)
    chroma = np.random.default_rng(5).uniform(-0.4, 0.4, (2, 15, 12)).astype(np.float32)
    solved = Upsampler.solve(chroma, luminance, 60, 50)
    assert np.allclose(solved.at_guide_size(luminance), solved.rows(0, gray), atol=1e-6)


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 40))
def test_strips_join_without_a_seam(height: int, width: int, step: int) -> None:
    rng = np.random.default_rng(7)
    gray = rng.integers(0, 65536, (height, width), dtype=np.uint16)
    luminance = resample.reduce(
        gray / np.float32(65535), *resample.fit(height, width, min(30, height, width))
    )
    chroma = (rng.random((2, 3, 4), dtype=np.float32) - 0.5) * 0.4
    upsampler = Upsampler.solve(chroma, luminance, height, width)
    strips = [upsampler.rows(top, gray[top : top + step]) for top in range(0, height, step)]
    assert np.array_equal(np.concatenate(strips, axis=1), upsampler.rows(0, gray))


@given(st.integers(1, 70), st.integers(1, 40), st.integers(2, 9))
def test_a_box_is_the_mean_over_its_square(height: int, width: int, radius: int) -> None:
    plane = np.random.default_rng(height).random((height, width), dtype=np.float32)
    held = np.pad(plane, radius, mode="edge")
    squares = np.lib.stride_tricks.sliding_window_view(held, (2 * radius + 1, 2 * radius + 1))
    assert np.allclose(box_mean(plane, radius), squares.mean(axis=(2, 3)), atol=1e-6)
