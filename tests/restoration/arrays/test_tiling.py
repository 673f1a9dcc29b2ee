import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restoration.arrays import tiling


@given(st.integers(1, 3000), st.integers(32, 256))
def test_the_weights_sum_to_one_everywhere(length: int, stride: int) -> None:
    total = np.zeros(length)
    for span in tiling.window_spans(length, stride=stride):
        total[span.start : span.stop] += span.weights
    assert np.allclose(total, 1, atol=1e-5)


@given(st.integers(1, 3000), st.integers(32, 256), st.data())
def test_the_weights_sum_to_one_wherever_the_windows_begin(
    length: int, stride: int, draw: st.DataObject
) -> None:
    offset = draw.draw(st.integers(0, stride - 1))
    total = np.zeros(length)
    for span in tiling.window_spans(length, stride=stride, offset=offset):
        assert 0 <= span.start < span.stop <= length
        total[span.start : span.stop] += span.weights
    assert np.allclose(total, 1, atol=1e-5)


def test_borders_are_where_windows_begin_or_end() -> None:
    assert tiling.window_borders(200, 128) == ()
    assert tiling.window_borders(512, 128) == (128, 256, 384)
    assert tiling.window_borders(512, 128, offset=28) == (67, 161, 228, 256, 323, 417)


@pytest.mark.parametrize("offset", [-1, 128])
def test_an_offset_beyond_the_stride_is_refused(offset: int) -> None:
    with pytest.raises(ValueError, match="offset"):
        tiling.window_spans(1000, offset=offset)


@given(st.integers(257, 3000), st.integers(32, 256))
def test_windows_lie_inside_no_further_apart_than_the_stride(length: int, stride: int) -> None:
    spans = tiling.window_spans(length, stride=stride)
    starts = [span.start for span in spans]
    assert starts[0] == 0
    assert spans[-1].stop == length
    assert all(0 < b - a <= stride for a, b in itertools.pairwise(starts))
    assert all(len(span.weights) == tiling.WINDOW for span in spans)


@pytest.mark.parametrize("shape", [(1, 1), (40, 30), (256, 256), (257, 509), (600, 90)])
def test_cutting_and_merging_gives_the_picture_back(shape: tuple[int, int]) -> None:
    plane = np.random.default_rng(1).random(shape, dtype=np.float32)
    merged = np.zeros_like(plane)
    windows = list(tiling.windows(*shape, 160))
    for window in windows:
        window.add(window.cut(plane), merged)
    assert len(windows) == tiling.window_count(*shape, 160)
    assert np.allclose(merged, plane, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (2, 300), (37, 53), (256, 256)])
def test_padding_reaches_the_multiple_and_reflects(shape: tuple[int, int]) -> None:
    plane = np.random.default_rng(1).random(shape, dtype=np.float32)
    padded = tiling.pad(plane, 32, 64)
    assert not any(side % 32 or side < 64 for side in padded.shape)
    assert np.array_equal(padded[: shape[0], : shape[1]], plane)
    if 2 < shape[1] < 64:
        assert np.array_equal(padded[: shape[0], shape[1]], plane[:, -2])


def test_a_stride_that_leaves_gaps_is_refused() -> None:
    with pytest.raises(ValueError, match="stride"):
        tiling.window_spans(1000, stride=257)
