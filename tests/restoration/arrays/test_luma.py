import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from restoration.arrays import luma

CHROMA = st.floats(-0.5, 0.5, width=32)


def test_luma_of_8_bits_is_pillows() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    assert np.array_equal(luma.luma(rgb), np.asarray(Image.fromarray(rgb).convert("L")))


def test_luma_of_16_bits_is_the_weighted_sum_within_a_step() -> None:
    rgb = np.random.default_rng(0).integers(0, 65536, (200, 200, 3), dtype=np.uint16)
    assert np.abs(rgb @ np.array([0.299, 0.587, 0.114]) - luma.luma(rgb)).max() < 1


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_a_neutral_pixel_has_its_own_value_as_luma(depth: type) -> None:
    gray = np.arange(np.iinfo(depth).max + 1, dtype=depth)
    assert np.array_equal(luma.luma(np.stack([gray] * 3, axis=-1)), gray)


def test_every_gray_with_every_chroma_keeps_its_luma() -> None:
    steps = np.linspace(-0.5, 0.5, 65, dtype=np.float32)
    gray, cb, cr = np.meshgrid(np.arange(256, dtype=np.uint8), steps, steps, indexing="ij")
    rgb = luma.rgb_with_luma(gray, cb, cr)
    seen = np.asarray(Image.fromarray(rgb.reshape(256, -1, 3)).convert("L"))
    assert np.array_equal(seen, gray.reshape(256, -1))


def test_every_16_bit_gray_keeps_its_luma() -> None:
    steps = np.linspace(-0.5, 0.5, 7, dtype=np.float32)
    gray, cb, cr = np.meshgrid(np.arange(65536, dtype=np.uint16), steps, steps, indexing="ij")
    assert np.array_equal(luma.luma(luma.rgb_with_luma(gray, cb, cr)), gray)


@given(
    hnp.arrays(np.uint16, (3, 5)),
    hnp.arrays(np.float32, (3, 5), elements=CHROMA),
    hnp.arrays(np.float32, (3, 5), elements=CHROMA),
)
def test_luma_is_kept_for_any_picture(gray: np.ndarray, cb: np.ndarray, cr: np.ndarray) -> None:
    assert np.array_equal(luma.luma(luma.rgb_with_luma(gray, cb, cr)), gray)
    small = (gray >> 8).astype(np.uint8)
    assert np.array_equal(luma.luma(luma.rgb_with_luma(small, cb, cr)), small)


@given(
    hnp.arrays(np.uint16, (3, 5)),
    hnp.arrays(np.float32, (2, 3, 5), elements=CHROMA),
    st.floats(0, 2),
    st.floats(-1, 1),
)
def test_luma_is_kept_at_any_strength_and_warmth(
    gray: np.ndarray, chroma: np.ndarray, strength: float, warmth: float
) -> None:
    cb, cr = np.clip(luma.adjust_chroma(chroma, strength, warmth), -0.5, 0.5)
    assert np.array_equal(luma.luma(luma.rgb_with_luma(gray, cb, cr)), gray)
    small = (gray >> 8).astype(np.uint8)
    assert np.array_equal(luma.luma(luma.rgb_with_luma(small, cb, cr)), small)


@given(hnp.arrays(np.float32, (2, 3, 5), elements=CHROMA), st.floats(-1, 1))
def test_warmth_moves_a_color_by_at_most_half_of_its_chroma(chroma: np.ndarray, warmth: float) -> None:
    moved = np.hypot(*(luma.adjust_chroma(chroma, 1, warmth) - chroma))
    assert np.all(moved <= 0.5 * np.hypot(*chroma) + 1e-6)
    assert not luma.adjust_chroma(np.zeros_like(chroma), 1, warmth).any()
    assert not luma.adjust_chroma(chroma, 0, warmth).any()


def test_warmth_strengthens_amber_and_weakens_blue() -> None:
    amber, blue = np.array([[[-0.08]], [[0.06]]], np.float32), np.array([[[0.08]], [[-0.06]]], np.float32)
    assert np.hypot(*luma.adjust_chroma(amber, 1, 1)).item() == pytest.approx(0.15)
    assert np.hypot(*luma.adjust_chroma(blue, 1, 1)).item() == pytest.approx(0.05)
    assert np.allclose(luma.adjust_chroma(amber, 1, -1), -luma.adjust_chroma(blue, 1, 1))


@given(hnp.arrays(np.float32, (2, 3, 5), elements=CHROMA), st.floats(0, 2))
def test_no_warmth_leaves_the_colors_as_the_strength_makes_them(chroma: np.ndarray, strength: float) -> None:
    assert np.array_equal(luma.adjust_chroma(chroma, strength, 0), chroma * np.float32(strength))


def test_chroma_inside_the_gamut_comes_out_as_it_went_in() -> None:
    gray = np.full((20, 20), 32000, np.uint16)
    cb, cr = np.meshgrid(*[np.linspace(-0.15, 0.15, 20, dtype=np.float32)] * 2)
    seen = luma.chroma(luma.rgb_with_luma(gray, cb, cr) / np.float32(65535))
    assert np.abs(seen - np.stack((cb, cr))).max() < 1e-4


def test_chroma_outside_the_gamut_keeps_its_hue() -> None:
    gray = np.full((1, 8), 58000, np.uint16)
    angles = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    cb, cr = (0.5 * f(angles)[None].astype(np.float32) for f in (np.cos, np.sin))
    seen_cb, seen_cr = luma.chroma(luma.rgb_with_luma(gray, cb, cr) / np.float32(65535))
    turned = np.angle(np.exp(1j * (np.arctan2(seen_cr, seen_cb) - angles)))
    assert np.abs(turned).max() < 0.01
    assert np.hypot(seen_cb, seen_cr).min() > 0.02


def test_black_and_white_stay_neutral() -> None:
    gray = np.array([[0, 255]], np.uint8)
    rgb = luma.rgb_with_luma(gray, np.full((1, 2), 0.4, np.float32), np.full((1, 2), -0.3, np.float32))
    assert rgb.tolist() == [[[0, 0, 0], [255, 255, 255]]]


def on_the_edge(depth: type, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gray and chroma whose red, green and blue are all rounded by almost half a step, the same way.

    Then the luma is almost half a step off, where kinds of weights and of rounding give different integers.
    """
    rng = np.random.default_rng(11)
    top = int(np.iinfo(depth).max)
    halves = rng.choice([-0.4995, 0.4995], count)
    red, blue = (rng.integers(-top // 4, top // 4, count) + halves for _ in range(2))
    green = -(0.299 * red + 0.114 * blue) / 0.587
    near = np.abs(green - np.floor(green) - 0.5) < 0.02
    red, blue = red[near], blue[near]
    gray = rng.integers(top // 3, 2 * top // 3, red.size).astype(depth)
    return gray, (blue / (1.772 * top)).astype(np.float32), (red / (1.402 * top)).astype(np.float32)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_luma_is_kept_by_exact_and_by_integer_weights(depth: type) -> None:
    gray, cb, cr = on_the_edge(depth, 2_000_000)
    assert len(gray) > 50_000
    rgb = luma.rgb_with_luma(gray, cb, cr).astype(np.int64)

    thousandths = rgb @ np.array([299, 587, 114]) - 1000 * gray.astype(np.int64)
    assert np.abs(thousandths).max() < 500  # whichever way halves are rounded
    assert np.array_equal((rgb @ np.array([19595, 38470, 7471]) + 32768) >> 16, gray)
    assert np.array_equal(np.rint(rgb @ np.array([0.299, 0.587, 0.114])), gray)


@given(
    hnp.arrays(np.uint16, (4, 6)),
    hnp.arrays(np.float32, (2, 4, 6), elements=CHROMA),
)
def test_both_kinds_of_weights_agree_for_any_picture(gray: np.ndarray, chroma: np.ndarray) -> None:
    for one in (gray, (gray >> 8).astype(np.uint8)):
        rgb = luma.rgb_with_luma(one, *chroma).astype(np.int64)
        assert np.abs(rgb @ np.array([299, 587, 114]) - 1000 * one.astype(np.int64)).max() < 500
        assert np.array_equal((rgb @ np.array([19595, 38470, 7471]) + 32768) >> 16, one)


def test_with_8_bits_exact_weights_imply_the_integer_ones() -> None:
    differences = np.array([19595, 38470, 7471]) * 1000 / 65536 - np.array([299, 587, 114])
    most = 255 * differences[differences > 0].sum()  # thousandths of a step, if only these channels are full
    assert abs(differences.sum()) < 1e-9
    assert luma._MOST_EXCESS[1] + most < 500
