"""The second decoder gives the stored samples, or says that it cannot.

The expected samples are the arrays that the files were made of.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import pyvips
import tifffile
from grainy_pictures import grain, second_decoder_samples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from restoration import Limits, MasterError, identify
from restoration.masters import second_decoder
from restoration.masters.decode_errors import NoSecondDecoder
from restoration.masters.facts import ScanFacts

Array = np.ndarray
Maker = Callable[..., Path]
pytestmark = pytest.mark.usefixtures("small_portions")


def test_a_palette_becomes_its_colors(tmp_path: Path) -> None:
    indices = np.random.default_rng(1).integers(0, 256, (33, 77)).astype(np.uint8)
    colors = np.random.default_rng(2).integers(0, 256, (256, 3)).astype(np.uint8)
    image = Image.fromarray(indices)
    image.putpalette(colors.tobytes())
    for name in ("a.tif", "a.png", "a.gif"):
        image.save(tmp_path / name)
        assert np.array_equal(second_decoder_samples(tmp_path / name), colors[indices])


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_a_lossless_webp_gives_the_stored_samples(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(grain(61, 83, 4)).convert(mode)
    image.save(tmp_path / "a.webp", lossless=True, exact=True)
    stored = np.asarray(image if mode != "L" else image.convert("RGB"))

    assert np.array_equal(second_decoder_samples(tmp_path / "a.webp"), stored)


@pytest.mark.parametrize("kind", range(1, 7))
@pytest.mark.parametrize("bits", [8, 16])
def test_each_kind_of_pnm_gives_the_stored_samples(tmp_path: Path, kind: int, bits: int) -> None:
    bands, bits = 3 if kind in {3, 6} else 1, 1 if kind in {1, 4} else bits
    samples = grain(31, 53, bands, bits=bits)
    scale = b"" if bits == 1 else b"%d\n" % (2**bits - 1)
    if kind <= 3:
        body = b" ".join(b"%d" % value for value in samples.ravel()) + b"\n"
    elif kind == 4:
        body = np.packbits(samples[..., 0], axis=1).tobytes()
    else:
        body = samples.astype(">u2" if bits == 16 else np.uint8).tobytes()
    path = tmp_path / "a.pnm"
    path.write_bytes(b"P%d\n# a comment\n53 31\n%s%s" % (kind, scale, body))
    mode = "rgb" if bands == 3 else "gray"
    facts = ScanFacts("pnm", 53, 31, bands, bits, mode, False, 1, 1, None, None, path.stat().st_size)

    found = np.concatenate([rows for _, rows in second_decoder.read_rows(path, facts)])

    expected = (1 - samples) * np.uint8(255) if bits == 1 else samples  # 1 is black
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("name", ["a.jpg", "a.tif", "a.webp"])
def test_a_picture_that_needs_too_much_memory_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    image = Image.fromarray(grain(90, 70, 3))
    image.save(path)
    if name == "a.tif":
        tifffile.imwrite(path, np.asarray(image), compression="lzw", rowsperstrip=90)
    facts = identify(path)
    size = facts.pixels * facts.bands

    assert sum(len(rows) for _, rows in second_decoder.read_rows(path, facts, max_bytes=size)) == 90
    with pytest.raises(NoSecondDecoder):
        next(second_decoder.read_rows(path, facts, max_bytes=size - 1))


def test_pictures_above_the_limit_of_pillow_are_read(tmp_path: Path) -> None:
    side = 13_500  # twice Pillow's limit of pixels and more, over which it raises an error
    pyvips.Image.black(side, side).jpegsave(str(tmp_path / "a.jpg"))
    facts = identify(tmp_path / "a.jpg", Limits())

    assert sum(len(samples) for _, samples in second_decoder.read_rows(tmp_path / "a.jpg", facts)) == side


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    which=st.sampled_from(["lzw", "adobe_deflate", "packbits", "png", "gif"]),
    at=st.floats(0, 1, exclude_max=True),
    value=st.integers(0, 255),
)
def test_a_changed_byte_raises_only_known_errors(tmp_path: Path, which: str, at: float, value: int) -> None:
    path = tmp_path / ("a.png" if which == "png" else "a.gif" if which == "gif" else "a.tif")
    if path.suffix == ".tif":
        tifffile.imwrite(path, grain(40, 50), compression=which, metadata=None)
    else:
        Image.fromarray(grain(40, 50)).save(path)
    facts = identify(path)
    data = bytearray(path.read_bytes())
    data[int(at * len(data))] = value
    path.write_bytes(data)
    try:
        for _ in second_decoder.read_rows(path, facts, 1):
            pass
    except (MasterError, NoSecondDecoder):
        pass
