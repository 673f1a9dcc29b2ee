import zlib

import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restoration import LumaMismatch
from restoration.arrays.buffer_pool import BufferPool
from restoration.derivatives.verified_deflate import compress, verify_round_trip


def noise(shape: tuple[int, ...], depth: type) -> np.ndarray:
    return np.random.default_rng(0).integers(0, np.iinfo(depth).max, shape).astype(depth)


@given(
    st.integers(1, 9),
    st.integers(1, 60),
    st.sampled_from([3, 4]),
    st.sampled_from([np.uint8, np.uint16]),
)
def test_a_sealed_piece_is_deflate_with_the_predictor(
    height: int, width: int, bands: int, depth: type
) -> None:
    samples = noise((height, width, bands), depth)
    compressed = compress(samples, BufferPool())
    verify_round_trip(compressed, samples, BufferPool())
    differences = np.frombuffer(zlib.decompress(compressed), depth).reshape(samples.shape)
    assert np.array_equal(np.cumsum(differences, axis=1, dtype=depth), samples)


@pytest.mark.parametrize("at", [3, -2])
def test_a_bit_that_flips_in_the_compressor_is_noticed(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    encode = imagecodecs.deflate_encode

    def faulty(data: object, **facts: int) -> bytes:
        encoded = bytearray(encode(data, **facts))
        encoded[at] ^= 4
        return bytes(encoded)

    samples = noise((20, 30, 3), np.uint8)
    monkeypatch.setattr(imagecodecs, "deflate_encode", faulty)
    with pytest.raises(LumaMismatch, match="compressed"):
        verify_round_trip(compress(samples, BufferPool()), samples, BufferPool())


def test_a_compressor_that_gives_other_samples_is_noticed() -> None:
    samples = noise((20, 30, 3), np.uint8)
    wrong = samples.copy()
    wrong[5, 5, 2] ^= 1
    with pytest.raises(LumaMismatch, match="other samples"):
        verify_round_trip(compress(wrong, BufferPool()), samples, BufferPool())
