import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from restoration.arrays import reference_luma

Pixels = hnp.arrays(np.uint16, (3, 5, 3)) | hnp.arrays(np.uint8, (3, 5, 3))


@given(Pixels)
def test_both_kinds_of_luma_are_the_sums_by_hand(rgb: np.ndarray) -> None:
    integers, thousandths = reference_luma.fixed_point_luma(rgb), reference_luma.decimal_luma(rgb)
    assert integers.dtype == thousandths.dtype == rgb.dtype
    for place in np.ndindex(rgb.shape[:2]):
        red, green, blue = (int(value) for value in rgb[place])
        assert integers[place] == (19595 * red + 38470 * green + 7471 * blue + 32768) // 65536
        assert thousandths[place] == (299 * red + 587 * green + 114 * blue + 500) // 1000


@pytest.mark.parametrize("bands", [3, 4])
def test_with_8_bits_it_is_pillows(bands: int) -> None:
    samples = np.random.default_rng(0).integers(0, 256, (200, 300, bands), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(samples).convert("RGB").convert("L"))
    assert np.array_equal(reference_luma.fixed_point_luma(samples[..., :3]), expected)


@given(st.integers(0, 65535))
def test_a_neutral_pixel_is_its_own_luma(value: int) -> None:
    pixel = np.full((1, 1, 3), value, np.uint16)
    assert reference_luma.fixed_point_luma(pixel) == reference_luma.decimal_luma(pixel) == value
