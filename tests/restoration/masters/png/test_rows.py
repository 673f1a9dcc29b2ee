"""The second decoder gives the stored samples of a PNG, or an error if any are missing.

The expected samples are the arrays that the files were made of.
"""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from grainy_pictures import grain, row_bytes, second_decoder_samples

from restoration import MasterError

Array = np.ndarray
Maker = Callable[..., Path]
pytestmark = pytest.mark.usefixtures("small_portions")


PNG_KINDS = [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (3, 1), (3, 4), (3, 8), (4, 8)]
PNG_KINDS += [(4, 16), (6, 8), (6, 16)]


@pytest.mark.parametrize(("color", "bits"), PNG_KINDS)
@pytest.mark.parametrize("interlaced", [False, True])
def test_each_kind_of_png_gives_the_stored_samples(
    tmp_path: Path, color: int, bits: int, interlaced: bool
) -> None:
    path = tmp_path / "a.png"
    samples, expected = _png_samples(color, bits)
    path.write_bytes(_png(samples, color, bits, interlaced=interlaced))

    assert np.array_equal(second_decoder_samples(path), expected)


def _png_samples(color: int, bits: int) -> tuple[Array, Array]:
    """Samples as they are stored and as they must be read."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    stored = grain(61, 83, channels, bits=bits)
    if color == 3:
        palette = np.frombuffer(_palette(bits), np.uint8).reshape(-1, 3)
        return stored, palette[stored[..., 0]]
    return stored, stored * np.uint8(255 // (2**bits - 1)) if bits < 8 else stored


def _palette(bits: int) -> bytes:
    return np.random.default_rng(8).integers(0, 256, (2**bits, 3)).astype(np.uint8).tobytes()


def _png(samples: Array, color: int, bits: int, *, interlaced: bool) -> bytes:
    """Write a PNG whose rows have each of the five filters, Adam7 if asked for."""
    height, width, _ = samples.shape
    passes = [
        (0, 0, 8, 8),
        (0, 4, 8, 8),
        (4, 0, 8, 4),
        (0, 2, 4, 4),
        (2, 0, 4, 2),
        (0, 1, 2, 2),
        (1, 0, 2, 1),
    ]
    data = bytearray()
    for top, left, down, across in passes if interlaced else [(0, 0, 1, 1)]:
        data += _filtered(samples[top::down, left::across], bits)
    head = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, int(interlaced))
    table = _chunk(b"PLTE", _palette(bits)) if color == 3 else b""
    packed = zlib.compress(bytes(data))
    pieces = b"".join(_chunk(b"IDAT", packed[at : at + 1000]) for at in range(0, len(packed), 1000))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + table + pieces + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _filtered(samples: Array, bits: int) -> bytes:
    """Filter row after row, byte after byte, as section 9 of the PNG specification has it."""
    step = max(1, samples.shape[2] * bits // 8)
    out = bytearray()
    before: bytes | None = None
    for number, row in enumerate(samples):
        raw = row_bytes(row.reshape(-1), bits)
        above = before or bytes(len(raw))
        kind = number % 5
        out.append(kind)
        for i, value in enumerate(raw):
            a = raw[i - step] if i >= step else 0
            b, c = above[i], above[i - step] if i >= step else 0
            paeth = min((a, b, c), key=lambda one, p=a + b - c: abs(p - one))
            out.append((value - (0, a, b, (a + b) // 2, paeth)[kind]) % 256)
        before = raw
    return bytes(out)


def test_a_transparent_color_becomes_alpha(tmp_path: Path) -> None:
    gray = grain(61, 83, bits=16)
    key = int(gray[30, 40])
    head = struct.pack(">IIBBBBB", 83, 61, 16, 0, 0, 0, 0)
    body = _chunk(b"tRNS", struct.pack(">H", key)) + _chunk(
        b"IDAT", zlib.compress(_filtered(gray[..., None], 16))
    )
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + body + _chunk(b"IEND", b""))

    samples = second_decoder_samples(path)

    assert np.array_equal(samples[..., 0], gray)
    assert np.array_equal(samples[..., 1], np.where(gray == key, 0, 65535))


@pytest.mark.parametrize("lost", [20, 400, 2000])
def test_a_cut_png_is_damaged(tmp_path: Path, lost: int) -> None:
    path = tmp_path / "a.png"
    whole = _png(grain(61, 83, 3), 2, 8, interlaced=False)
    ends = whole.rindex(b"IEND") - 8
    path.write_bytes(whole[: ends - lost])

    with pytest.raises(MasterError):
        second_decoder_samples(path)
