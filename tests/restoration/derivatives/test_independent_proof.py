"""Work and verification read the master by different decoders, so that no fault of one goes unnoticed.

Masters are made of known arrays, derivatives read by Pillow or tifffile: none of it is our own code.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from restoration import (
    Compute,
    DecodersDisagree,
    Input,
    LoadedModel,
    LumaMismatch,
    Output,
    Recipe,
    pipeline,
    restore,
)
from restoration.derivatives.technical_metadata import ONE_DECODER_NOTE
from restoration.masters.sandbox import MasterOverview, Reader

Gray = np.ndarray
Maker = Callable[..., Path]
Recipes = Callable[..., Recipe]

OFF_BY_ONE = """
import sys

if "restoration.masters.sandbox.process" in sys.orig_argv:
    from restoration.masters import strips

    decoded = strips.Master._decoded

    def wrong(scan, notes):
        for top, samples in decoded(scan, notes):
            samples = samples.copy()
            samples[-1, -1, 0] ^= 1
            yield top, samples

    strips.Master._decoded = wrong
"""


@pytest.fixture
def reader_of_wrong_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    """A reading process whose libvips gives the last pixel of each strip a step off."""
    (tmp_path / "wrong").mkdir()
    (tmp_path / "wrong" / "sitecustomize.py").write_text(OFF_BY_ONE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "wrong"))
    reader = Reader()
    monkeypatch.setattr(pipeline, "shared_reader", lambda: reader)
    yield reader
    reader.close()


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.jpg"])
def test_a_decoder_that_errs_by_one_step_gives_no_derivative(
    picture: Maker,
    gray8: Gray,
    recipe: Recipes,
    loaded: LoadedModel,
    reader_of_wrong_pixels: Reader,
    name: str,
) -> None:
    del reader_of_wrong_pixels
    master = picture(gray8, name)
    out = master.with_name("out.tif")

    with pytest.raises(DecodersDisagree, match="1 steps apart"):
        restore(Input(master), recipe(), Output(out), Compute(model=loaded))
    assert not out.exists()


@pytest.mark.parametrize("fmt", ["tiff", "png"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("compression", [None, "lzw", "adobe_deflate", "packbits"])
def test_the_luma_of_the_derivative_is_the_written_array(
    tiff: Maker,
    gray8: Gray,
    gray16: Gray,
    recipe: Recipes,
    loaded: LoadedModel,
    fmt: str,
    bits: int,
    compression: str,
) -> None:
    gray = gray8 if bits == 8 else gray16
    master = tiff(gray, compression=compression, tile=(64, 48))
    made = restore(Input(master), recipe(fmt), Output(master.with_name(f"out.{fmt}")), Compute(model=loaded))
    rgb = _samples(made.path).astype(np.int64)

    assert made.decoders == 2
    assert not any("decoder" in note for note in made.metadata.noted)
    assert made.luma_max_error == 0
    assert np.array_equal((rgb @ np.array([19595, 38470, 7471]) + 32768) >> 16, gray)
    assert np.array_equal((rgb @ np.array([299, 587, 114]) + 500) // 1000, gray)


def _samples(path: Path) -> Gray:
    """Return RGB as tifffile, or for PNG libpng, reads it."""
    return tifffile.imread(path) if path.suffix == ".tiff" else imagecodecs.png_decode(path.read_bytes())


@pytest.mark.parametrize("compression", ["zstd", "lzma"])
def test_a_proof_by_one_decoder_is_told(
    tiff: Maker, gray16: Gray, recipe: Recipes, loaded: LoadedModel, compression: str
) -> None:
    master = tiff(gray16, compression=compression)
    made = restore(Input(master), recipe(), Output(master.with_name("out.tif")), Compute(model=loaded))

    assert made.decoders == 1
    assert ONE_DECODER_NOTE in made.metadata.noted


def test_a_jpeg_is_measured_as_pillow_reads_it(
    tiff: Maker, gray8: Gray, recipe: Recipes, loaded: LoadedModel
) -> None:
    master = tiff(gray8)
    made = restore(Input(master), recipe("jpeg"), Output(master.with_name("out.jpg")), Compute(model=loaded))
    with Image.open(made.path) as opened:
        off = np.abs(np.asarray(opened.convert("L")).astype(int) - gray8)

    assert (made.luma_max_error, made.decoders) == (off.max(), 2)
    assert made.luma_mean_error == pytest.approx(off.mean())


@pytest.mark.parametrize("fmt", ["tiff", "png"])
@pytest.mark.parametrize("plane", ["gray", "alpha"])
def test_what_the_master_was_seen_to_hold_is_what_counts(
    tmp_path: Path,
    gray8: Gray,
    recipe: Recipes,
    loaded: LoadedModel,
    monkeypatch: pytest.MonkeyPatch,
    fmt: str,
    plane: str,
) -> None:
    master = tmp_path / "a.png"
    Image.fromarray(np.dstack([gray8, gray8.T.copy().reshape(gray8.shape)])).save(master)
    reader = pipeline.shared_reader()
    changed = {f"{plane}_sha256": "0" * 64}

    class Other:
        identify = reader.identify

        def overview(self, *words: object) -> MasterOverview:
            seen = reader.overview(*words)
            return replace(seen, reference=replace(seen.reference, **changed))

    monkeypatch.setattr(pipeline, "shared_reader", Other)
    reason = {"gray": "luminance differs from that of the master", "alpha": "alpha is not that"}[plane]
    with pytest.raises(LumaMismatch, match=reason):
        restore(Input(master), recipe(fmt), Output(tmp_path / "out"), Compute(model=loaded))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("compression", [None, "lzw", "adobe_deflate", "zstd", "lzma"])
@pytest.mark.parametrize("kind", ["assocalpha", "unassalpha"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("cut", [{}, {"tile": (64, 64)}])
def test_gray_beside_an_alpha_is_kept_as_it_is_stored(
    tiff: Maker,
    gray8: Gray,
    recipe: Recipes,
    loaded: LoadedModel,
    compression: str,
    kind: str,
    planar: str,
    cut: dict,
) -> None:
    alpha = np.linspace(40, 255, gray8.size).reshape(gray8.shape).astype(np.uint8)
    gray = (gray8.astype(np.uint16) * alpha // 255).astype(np.uint8)
    samples = np.stack((gray, alpha), axis=0 if planar == "separate" else 2)
    facts = {"planarconfig": planar, "extrasamples": [kind], "compression": compression, **cut}
    master = tiff(samples, photometric="minisblack", **facts)

    made = restore(Input(master), recipe(), Output(master.with_name("out.tif")), Compute(model=loaded))

    rgba = tifffile.imread(made.path).astype(np.int64)
    assert np.array_equal((rgba[..., :3] @ np.array([299, 587, 114]) + 500) // 1000, gray)
    assert np.array_equal(rgba[..., 3], alpha)


@pytest.mark.parametrize("compression", [1, 5, 8])
def test_the_y_of_ycbcr_is_the_gray_that_is_kept(
    tmp_path: Path, gray8: Gray, recipe: Recipes, loaded: LoadedModel, compression: int
) -> None:
    height, width = gray8.shape
    rng = np.random.default_rng(4)
    chroma = rng.integers(126, 131, (height, width, 2)).astype(np.uint8)  # clipped where Y is black or white
    y = np.where(rng.random(gray8.shape) < 0.1, rng.choice([0, 255], gray8.shape), gray8).astype(np.uint8)
    data = np.dstack((y, chroma)).tobytes()
    packed = {1: bytes, 5: imagecodecs.lzw_encode, 8: zlib.compress}[compression](data)
    tags = {256: width, 257: height, 259: compression, 262: 6, 273: 8, 277: 3, 278: height}
    tags |= {279: len(packed), 530: 1 | 1 << 16}
    master = tmp_path / "a.tif"
    _write_page(master, bytes(packed), tags)

    made = restore(Input(master), recipe(), Output(tmp_path / "out.tif"), Compute(model=loaded))

    rgb = tifffile.imread(made.path).astype(np.int64)
    assert made.decoders == 2
    assert np.array_equal((rgb @ np.array([299, 587, 114]) + 500) // 1000, y)


def _write_page(path: Path, data: bytes, tags: dict[int, int]) -> None:
    """Write a TIFF by hand; BitsPerSample is 8, 8, 8, and what has code 530 is two shorts."""
    after = 8 + len(data) + 2 + 12 * (len(tags) + 1) + 4
    entries = {258: struct.pack("<HHII", 258, 3, 3, after)}
    for code, value in tags.items():
        pair = code == 530
        entries[code] = struct.pack("<HHII", code, 3 if pair or value < 65536 else 4, 1 + pair, value)
    body = b"".join(entries[code] for code in sorted(entries))
    head = struct.pack("<2sHI", b"II", 42, 8 + len(data))
    directory = struct.pack("<H", len(entries)) + body + bytes(4)
    path.write_bytes(head + data + directory + struct.pack("<3H", 8, 8, 8))
