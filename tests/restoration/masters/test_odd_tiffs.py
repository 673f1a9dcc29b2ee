"""What is odd about the header of a TIFF is told; what is missing of its pixels is an error.

The expected samples are the arrays that the files were made of.
"""

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from odd_tiffs import ASCII, LONG, LONG8, RATIONAL, SHORT, Page, Tag, made
from PIL import Image

from restoration import ImageTooLarge, MasterError, TruncatedImage, UnsupportedImage, identify
from restoration.arrays import resample
from restoration.masters import second_decoder
from restoration.masters.decoder_agreement import DecoderComparison
from restoration.masters.facts import ScanFacts
from restoration.masters.strips import Master

Gray = np.ndarray
FORMS = [("<", False), (">", False), ("<", True), (">", True)]


def stored(path: Path) -> Gray:
    """Return the samples that are read, which the second decoder reads alike if it reads them at all."""
    facts = identify(path)
    scan = Master(path, facts, path.parent)
    other = None if scan.second_decoder_only() else second_decoder.read_rows(path, facts)
    comparison = DecoderComparison(path, facts, path.parent, other)
    found = []
    for top, samples in scan.stored_strips():
        comparison.add(top, samples)
        found.append(samples)
    comparison.finish()
    return np.concatenate(found)


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    def write(*pages: Page, **facts: object) -> Path:
        (tmp_path / "odd.tif").write_bytes(made(*pages, **facts))
        return tmp_path / "odd.tif"

    return write


ODDITIES: dict[str, tuple[dict[int, Tag | None], dict[str, object], str | None]] = {
    "text padded with NUL": ({270: (ASCII, b"Seoul\0\0\0\0")}, {}, "270 (ImageDescription) is padded"),
    "text without NUL": ({305: (ASCII, b"Scanner")}, {}, "305 (Software) does not end with NUL"),
    "text of nothing": ({270: (ASCII, b"")}, {}, "270 (ImageDescription) is empty"),
    "DateTime of 19 bytes": ({306: (ASCII, b"1952:03:14 10:00:00")}, {}, "306 (DateTime) does not end"),
    "next directory past the end": ({}, {"following": 1 << 30}, "past the end of the file"),
    "next directory is this one": ({}, {"following": -1}, "leads back"),
    "next directory in the pixels": ({}, {"following": 16}, "ignored"),
    "PageNumber of count 1": ({297: (SHORT, 0)}, {}, None),
    "ResolutionUnit out of range": (
        {282: (RATIONAL, [(300, 1)]), 283: (RATIONAL, [(300, 1)]), 296: (SHORT, 7)},
        {},
        "ResolutionUnit 7 is unknown",
    ),
    "tags not ascending": ({}, {"unsorted": True}, "not in ascending order"),
    "byte counts of 0": ({279: (LONG, 0)}, {}, "StripByteCounts is 0"),
    "no byte counts": ({279: None}, {}, "StripByteCounts is absent"),
    "byte counts too large": ({279: (LONG, 1 << 30)}, {}, None),
    "no rows per strip": ({278: None}, {}, None),
    "rows per strip of 0": ({278: (LONG, 0)}, {}, "RowsPerStrip is 0"),
    "one BitsPerSample": ({258: (SHORT, 8)}, {}, None),
    "unknown field type": ({60000: (77, b"")}, {}, "unknown type"),
    "values past the end": (
        {60001: (ASCII, b"a" * 9)},
        {"counts": {60001: 1 << 30}},
        "past the end of the file",
    ),
    "sample format undefined": ({339: (SHORT, 4)}, {}, None),
    "sample format of 0": ({339: (SHORT, 0)}, {}, "SampleFormat is 0"),
    "fill order of 0": ({266: (SHORT, 0)}, {}, "FillOrder 0 is unknown"),
    "fill order of 3": ({266: (SHORT, 3)}, {}, "FillOrder 3 is unknown"),
    "predictor of 0": ({317: (SHORT, 0)}, {}, "Predictor is 0"),
    "predictor without compression": ({317: (SHORT, 2)}, {}, "Predictor does not go with"),
    "too few rows per strip": ({278: (LONG, 7)}, {}, "RowsPerStrip is too small"),
    "orientation of nothing": ({274: (SHORT, 0)}, {}, None),
}


@pytest.mark.parametrize(("order", "big"), FORMS)
@pytest.mark.parametrize("name", ODDITIES)
def test_an_odd_header_costs_no_pixel_and_is_told(
    written: Callable[..., Path], gray8: Gray, name: str, order: str, big: bool
) -> None:
    tags, facts, told = ODDITIES[name]
    path = written(Page(gray8, tags, **facts), order=order, big=big)

    assert np.array_equal(stored(path)[..., 0], gray8)
    notes = "\n".join(identify(path).notes)
    assert (told in notes) if told else not notes


@pytest.mark.parametrize(("kind", "value"), [(LONG, 300), (SHORT, 300), (RATIONAL, [(600, 2)])])
def test_a_resolution_of_another_type_is_read(
    written: Callable[..., Path], gray8: Gray, kind: int, value: object
) -> None:
    path = written(Page(gray8, {282: (kind, value), 283: (kind, value), 296: (SHORT, 2)}))
    assert identify(path).dpi == (300, 300)


@pytest.mark.parametrize("value", [[(0, 0)], [(1, 0)], [(0, 1)]])
def test_a_resolution_that_is_none_is_dropped(
    written: Callable[..., Path], gray8: Gray, value: list[tuple[int, int]]
) -> None:
    assert identify(written(Page(gray8, {282: (RATIONAL, value), 283: (RATIONAL, value)}))).dpi is None


def test_byte_counts_of_compressed_strips_are_computed_too(written: Callable[..., Path], gray8: Gray) -> None:
    strips = [zlib.compress(gray8[top : top + 100].tobytes()) for top in range(0, 337, 100)]
    path = written(Page(gray8, {259: (SHORT, 8), 278: (LONG, 100), 279: None}, strips=strips))
    assert np.array_equal(stored(path)[..., 0], gray8)


@pytest.mark.parametrize("compression", [1, 8])
def test_pixels_missing_behind_absent_byte_counts_are_missed(
    written: Callable[..., Path], gray8: Gray, compression: int
) -> None:
    data = gray8[:-1].tobytes()
    strips = [data if compression == 1 else zlib.compress(data)]
    whole = made(Page(gray8, {259: (SHORT, compression), 279: None}, strips=strips))
    path = written(Page(gray8))
    path.write_bytes(_header_first(whole, strips[0]))  # so that nothing is behind the pixels
    with pytest.raises(TruncatedImage):
        stored(path)


def _header_first(whole: bytes, data: bytes) -> bytes:
    """Move the only strip, which begins at 8, behind all else."""
    at = whole.index(b"\x11\x01\x04\0\x01\0\0\0")  # StripOffsets, LONG, 1
    moved = bytearray(whole)
    moved[at + 8 : at + 12] = len(whole).to_bytes(4, "little")
    return bytes(moved) + data


@pytest.mark.parametrize(("tag", "what"), [(262, "photometric"), (256, "width"), (273, "pixel data lie")])
def test_what_must_be_told_and_is_not_makes_a_header_incomplete(
    written: Callable[..., Path], gray8: Gray, tag: int, what: str
) -> None:
    with pytest.raises(UnsupportedImage, match=f"incomplete.*{what}.*convert it"):
        identify(written(Page(gray8, {tag: None})))


@pytest.mark.parametrize("tag", [258, 259, 262, 277, 273, 284])
@pytest.mark.parametrize("out_of_reach", [True, False])
def test_a_needed_value_that_cannot_be_read_is_no_default(
    written: Callable[..., Path], gray8: Gray, tag: int, out_of_reach: bool
) -> None:
    """BitsPerSample out of reach is not 1 bit."""
    lost = Page(gray8, {tag: (ASCII, b"abcdefgh\0")}, counts={tag: 1 << 30} if out_of_reach else {})
    with pytest.raises(TruncatedImage, match=f"the tag {tag}"):
        identify(written(lost))


def old_lzw(data: bytes) -> bytes:
    """Codes of 9 bits, least significant bit first, cleared before the table would need 10."""
    codes = [256]
    for i, byte in enumerate(data):
        if i and i % 200 == 0:
            codes.append(256)
        codes.append(byte)
    codes.append(257)
    bits = np.array([[code >> bit & 1 for bit in range(9)] for code in codes], np.uint8).ravel()
    return np.packbits(bits, bitorder="little").tobytes()


def test_lzw_of_the_old_style_is_read_and_told(written: Callable[..., Path], gray8: Gray) -> None:
    small = np.ascontiguousarray(gray8[:64, :64])
    path = written(Page(small, {259: (SHORT, 5)}, strips=[old_lzw(small.tobytes())]))
    assert np.array_equal(stored(path)[..., 0], small)
    assert "old style" in identify(path).notes[0]


def test_lzw_of_the_old_style_that_is_cut_off_is_refused(written: Callable[..., Path], gray8: Gray) -> None:
    small = np.ascontiguousarray(gray8[:64, :64])
    path = written(Page(small, {259: (SHORT, 5)}, strips=[old_lzw(small.tobytes())[:3000]]))
    with pytest.raises(TruncatedImage):
        stored(path)


def page_of(samples: Gray, **facts: object) -> Page:
    return Page(samples, {254: (LONG, facts["kind"])} if "kind" in facts else {})


def reduced(gray: Gray, height: int, width: int) -> Gray:
    planes = resample.reduce(gray.astype(np.float32)[None], height, width)
    return np.rint(planes[0]).astype(gray.dtype)


def overview(path: Path) -> ScanFacts:
    """Return the facts, with the notes of the pixels."""
    facts = identify(path)
    notes: list[str] = []
    Master(path, facts, path.parent).overview(256, notes=notes)
    return replace(facts, notes=(*facts.notes, *notes))


@pytest.mark.parametrize("order", [0, 1])
def test_a_page_flagged_as_reduced_is_not_the_picture(
    written: Callable[..., Path], gray8: Gray, order: int
) -> None:
    pages = [page_of(gray8, kind=0), page_of(reduced(gray8, 90, 67), kind=1)]
    path = written(*pages[:: 1 - 2 * order])
    assert np.array_equal(stored(path)[..., 0], gray8)
    assert identify(path).page == order
    assert overview(path)


def another(height: int, width: int) -> Gray:
    """Another picture."""
    y, x = np.mgrid[:height, :width] / max(height, width)
    return (128 + 90 * np.sin(9 * x + 4) * np.cos(11 * y)).astype(np.uint8)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("size", [(337, 251), (168, 125), (42, 31), (120, 160), (337, 100)])
def test_a_page_flagged_as_reduced_that_shows_something_else_is_a_second_picture(
    written: Callable[..., Path], gray8: Gray, size: tuple[int, int], first: bool, order: str
) -> None:
    pages = [page_of(gray8, kind=0), page_of(another(*size), kind=1)]
    with pytest.raises(UnsupportedImage, match="2 pictures"):
        overview(written(*pages[:: -1 if first else 1], order=order))


def test_a_page_flagged_as_reduced_of_the_same_size_is_a_second_picture(
    written: Callable[..., Path], gray8: Gray
) -> None:
    with pytest.raises(UnsupportedImage, match="2 pictures"):
        identify(written(page_of(gray8, kind=0), page_of(gray8, kind=1)))


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("size", [(168, 125), (84, 63), (42, 31), (20, 15)])
@pytest.mark.parametrize("tone", [1.0, 0.6, 1.6])
def test_a_copy_that_is_flagged_may_have_a_tone_of_its_own(
    written: Callable[..., Path], gray8: Gray, size: tuple[int, int], first: bool, tone: float
) -> None:
    small = np.rint(255 * (reduced(gray8, *size) / 255) ** tone).astype(np.uint8)
    pages = [page_of(gray8, kind=0), page_of(small, kind=1)]
    assert overview(written(*pages[:: -1 if first else 1])).width == 251


def test_a_copy_that_is_flagged_may_have_stripes_at_its_sides(
    written: Callable[..., Path], gray8: Gray
) -> None:
    framed = np.zeros((120, 160), np.uint8)
    framed[:, 35:124] = reduced(gray8, 120, 89)
    assert overview(written(page_of(gray8, kind=0), page_of(framed, kind=1)))


@pytest.mark.parametrize("turns", [1, 3])
def test_a_copy_that_is_flagged_may_be_turned(written: Callable[..., Path], gray8: Gray, turns: int) -> None:
    small = np.ascontiguousarray(np.rot90(reduced(gray8, 84, 63), turns))
    assert overview(written(page_of(gray8, kind=0), page_of(small, kind=1)))


def test_a_mask_may_show_anything(written: Callable[..., Path], gray8: Gray) -> None:
    assert overview(written(page_of(gray8, kind=0), page_of(another(337, 251), kind=4)))


@pytest.mark.parametrize("compression", ["adobe_deflate", "zstd"])
@pytest.mark.parametrize("photometric", ["minisblack", "rgb"])
def test_the_levels_of_a_pyramid_are_copies(
    tmp_path: Path, gray16: Gray, photometric: str, compression: str
) -> None:
    path = tmp_path / "pyramid.tif"
    with tifffile.TiffWriter(path) as file:
        for times in (1, 2, 4, 8):
            level = reduced(gray16, 337 // times, 251 // times)
            samples = level if photometric == "minisblack" else np.dstack([level] * 3)
            facts = {"photometric": photometric, "compression": compression, "tile": (64, 64)}
            file.write(samples, subfiletype=int(times > 1), metadata=None, **facts)
    assert overview(path).notes == ()


@pytest.mark.parametrize("kind", [0, 1])
@pytest.mark.parametrize("compression", [1, 8])
def test_a_copy_that_is_cut_off_costs_no_picture(
    written: Callable[..., Path], gray8: Gray, compression: int, kind: int
) -> None:
    small = reduced(gray8, 84, 63)
    (data,) = in_strips(small, compression, 84)
    tags = {254: (LONG, kind), 259: (SHORT, compression)}
    tags |= {273: (LONG, 1 << 30)} if compression == 1 else {}
    path = written(page_of(gray8, kind=0), Page(small, tags, strips=[data[: len(data) // 2]]))
    assert np.array_equal(stored(path)[..., 0], gray8)
    assert "cannot be read" in overview(path).notes[-1]


def test_a_page_that_is_cut_off_and_as_large_is_a_second_picture(
    written: Callable[..., Path], gray8: Gray
) -> None:
    large = reduced(gray8, 300, 223)
    with pytest.raises(UnsupportedImage, match="2 pictures"):
        overview(written(page_of(gray8), Page(large, {273: (LONG, 1 << 30)})))


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("size", [(168, 125), (84, 63), (42, 31), (20, 15)])
def test_a_page_that_shows_the_same_is_a_reduced_copy(
    written: Callable[..., Path], gray8: Gray, size: tuple[int, int], first: bool
) -> None:
    pages = [page_of(gray8), page_of(reduced(gray8, *size))]
    path = written(*pages[:: -1 if first else 1])
    assert overview(path).width == 251


@pytest.mark.parametrize(
    "change",
    [
        lambda small: 255 - small,
        lambda small: small[::-1],
        lambda small: np.full_like(small, 230),
        lambda small: np.roll(small, 30, axis=1),
        lambda small: (small // 3).astype(np.uint8),
        lambda small: np.clip(small + np.random.default_rng(1).normal(0, 20, small.shape), 0, 255).astype(
            np.uint8
        ),
    ],
)
def test_a_smaller_page_that_shows_something_else_is_a_second_picture(
    written: Callable[..., Path], gray8: Gray, change: Callable[[Gray], Gray]
) -> None:
    path = written(page_of(gray8), page_of(np.ascontiguousarray(change(reduced(gray8, 168, 125)))))
    with pytest.raises(UnsupportedImage, match="2 pictures"):
        overview(path)


def plain_picture(grain: int) -> Gray:
    """Two plain areas with grain of their own."""
    plain = np.full((400, 600), 90.0)
    plain[100:300, 200:400] = 170
    return np.rint(plain + np.random.default_rng(grain).normal(0, 3, plain.shape)).astype(np.uint8)


def test_a_second_scan_of_the_same_print_is_a_second_picture(written: Callable[..., Path]) -> None:
    """It is as a copy would be but for its grain."""
    again = plain_picture(2)[::2, ::2]
    with pytest.raises(UnsupportedImage, match="2 pictures"):
        overview(written(page_of(plain_picture(1)), page_of(np.ascontiguousarray(again))))
    assert overview(written(page_of(plain_picture(1)), page_of(reduced(plain_picture(1), 200, 300))))


@pytest.mark.parametrize("quality", [None, 75, 30])
@pytest.mark.parametrize("way", [Image.NEAREST, Image.BOX, Image.BICUBIC, Image.LANCZOS])
@pytest.mark.parametrize("times", [2, 4, 8])
def test_copies_of_any_making_are_copies(
    written: Callable[..., Path], gray8: Gray, times: int, way: Image.Resampling, quality: int | None
) -> None:
    small = Image.fromarray(gray8).resize((251 // times, 337 // times), way)
    if quality:
        packed = io.BytesIO()
        small.save(packed, "JPEG", quality=quality)
        small = Image.open(packed)
    assert overview(written(page_of(gray8), page_of(np.asarray(small))))


def test_a_page_of_the_same_size_is_a_second_picture(written: Callable[..., Path], gray8: Gray) -> None:
    with pytest.raises(UnsupportedImage, match="2 pictures"):
        identify(written(page_of(gray8), page_of(gray8)))


def test_only_a_preview_is_no_picture(written: Callable[..., Path], gray8: Gray) -> None:
    with pytest.raises(UnsupportedImage, match="only a preview"):
        identify(written(page_of(gray8, kind=1)))


@pytest.mark.parametrize("compression", [None, "lzw", "adobe_deflate", "zstd", "packbits"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("tile", [None, (64, 48)])
@pytest.mark.parametrize("kind", ["unspecified", "assocalpha", "unassalpha"])
@pytest.mark.parametrize("colors", [1, 3])
def test_extra_channels_are_what_the_header_says(
    tiff: Callable[..., Path],
    gray16: Gray,
    compression: str | None,
    planar: str,
    tile: tuple[int, int] | None,
    kind: str,
    colors: int,
) -> None:
    channels = [gray16, gray16 // 2, gray16 // 3, gray16[::-1]][-1 - colors :]
    samples = np.stack(channels, axis=-1)
    path = tiff(
        samples if planar == "contig" else np.ascontiguousarray(np.moveaxis(samples, -1, 0)),
        photometric="rgb" if colors == 3 else "minisblack",
        planarconfig=planar,
        extrasamples=[kind],
        compression=compression,
        tile=tile,
    )
    facts = identify(path)
    kept = samples if kind != "unspecified" else samples[..., :-1]
    assert np.array_equal(stored(path), kept)
    assert (facts.bands, facts.alpha) == (kept.shape[-1], kind != "unspecified")
    assert facts.alpha_associated == (kind == "assocalpha")
    assert any("unspecified meaning dropped" in note for note in facts.notes) == (kind == "unspecified")


def test_an_alpha_among_other_channels_is_found(tiff: Callable[..., Path], gray8: Gray) -> None:
    samples = np.stack([gray8, gray8 // 2, gray8 // 3, gray8 // 4, gray8[::-1]], axis=-1)
    path = tiff(samples, photometric="rgb", extrasamples=["unspecified", "unassalpha"])
    assert np.array_equal(stored(path), samples[..., [0, 1, 2, 4]])


def test_rgb_with_a_channel_of_no_kind_has_no_alpha(written: Callable[..., Path], gray8: Gray) -> None:
    samples = np.dstack([gray8] * 4)
    assert not identify(written(Page(samples))).alpha


@pytest.mark.parametrize(("order", "big"), FORMS)
@pytest.mark.parametrize("subsampling", [(1, 1), (2, 1), (1, 2), (2, 2), (4, 2), (4, 4)])
@pytest.mark.parametrize("compression", [1, 5, 8])
def test_ycbcr_without_jpeg_keeps_its_y(
    written: Callable[..., Path],
    gray8: Gray,
    subsampling: tuple[int, int],
    compression: int,
    order: str,
    big: bool,
) -> None:
    across, down = subsampling
    y = gray8
    height, width = y.shape
    whole = np.pad(y, ((0, -height % down), (0, -width % across)), mode="edge")
    cells = whole.reshape(whole.shape[0] // down, down, whole.shape[1] // across, across).transpose(
        0, 2, 1, 3
    )
    cb, cr = (np.full(cells.shape[:2], value, np.uint8) for value in (117, 141))
    units = np.concatenate((cells.reshape(*cells.shape[:2], -1), cb[..., None], cr[..., None]), axis=-1)
    rows = 16 // down
    strips = [np.ascontiguousarray(units[top : top + rows]).tobytes() for top in range(0, len(units), rows)]
    pack = {1: bytes, 5: imagecodecs.lzw_encode, 8: zlib.compress}[compression]
    page = Page(
        np.dstack([y] * 3),
        {259: (SHORT, compression), 262: (SHORT, 6), 278: (LONG, 16), 530: (SHORT, list(subsampling))},
        strips=[bytes(pack(strip)) for strip in strips],
    )
    path = written(page, order=order, big=big)

    samples = stored(path)
    assert np.array_equal(samples[..., 0], y)
    assert np.unique(samples[..., 1:].reshape(-1, 2), axis=0).tolist() == [[117, 141]]
    strips_of = Master(path, identify(path), path.parent).strips()
    assert np.array_equal(np.concatenate([strip.gray for strip in strips_of]), y)
    assert identify(path).mode == "ycbcr"


@pytest.mark.parametrize("photometric", ["minisblack", "rgb"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_tiles_in_separate_planes_are_read(
    tiff: Callable[..., Path], gray16: Gray, photometric: str, planar: str
) -> None:
    samples = np.stack([gray16, gray16 // 2, gray16 // 3], axis=-1)
    facts = {"extrasamples": ["unspecified"] * 2} if photometric == "minisblack" else {}
    path = tiff(
        samples if planar == "contig" else np.ascontiguousarray(np.moveaxis(samples, -1, 0)),
        photometric=photometric,
        planarconfig=planar,
        tile=(64, 64),
        **facts,
    )
    assert np.array_equal(stored(path), samples if photometric == "rgb" else samples[..., :1])


REFUSED: dict[str, tuple[dict[int, Tag | None], str]] = {
    "old-style JPEG": ({259: (SHORT, 6)}, "old-style JPEG"),
    "JBIG": ({259: (SHORT, 34661)}, "JBIG"),
    "12 bits": ({258: (SHORT, 12)}, "12 bits"),
    "14 bits": ({258: (SHORT, 14)}, "14 bits"),
    "CMYK": ({262: (SHORT, 5)}, "CMYK"),
    "Lab": ({262: (SHORT, 8)}, r"L\*a\*b\*"),
    "DNG": ({50706: (1, b"\1\4\0\0")}, "camera raw file .DNG.; develop it"),
    "samples of a camera": ({262: (SHORT, 32803)}, "camera raw file"),
    "floating point": ({258: (SHORT, 32), 339: (SHORT, 3)}, "floating-point"),
    "signed": ({339: (SHORT, 2)}, "signed integers"),
    "complex": ({258: (SHORT, 64), 339: (SHORT, 6)}, "complex"),
    "a preview of a camera": ({254: (LONG, 1), 259: (SHORT, 34713)}, "camera raw file"),
    "a palette without colors": ({262: (SHORT, 3)}, "palette"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_names_its_cause(written: Callable[..., Path], gray8: Gray, name: str) -> None:
    tags, why = REFUSED[name]
    with pytest.raises(UnsupportedImage, match=why):
        identify(written(Page(gray8, tags)))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("name", ["text padded with NUL", "no byte counts", "tags not ascending"])
def test_an_odd_header_excuses_no_missing_pixels(
    written: Callable[..., Path], gray8: Gray, name: str, share: float
) -> None:
    tags, facts, _ = ODDITIES[name]
    data = gray8.tobytes()
    whole = made(Page(gray8, tags, **facts))
    path = written(Page(gray8))
    path.write_bytes(_header_first(whole, data[: int(len(data) * share)]))
    with pytest.raises(MasterError):
        stored(path)


def test_tifffile_and_we_agree_on_the_picture(written: Callable[..., Path], gray8: Gray) -> None:
    path = written(
        page_of(np.zeros((90, 130), np.uint8), kind=1), replace(page_of(gray8, kind=0), unsorted=True)
    )
    with tifffile.TiffFile(path) as tiff:
        assert np.array_equal(tiff.pages[identify(path).page].asarray(), stored(path)[..., 0])


def test_a_hole_among_compressed_strips_is_refused(written: Callable[..., Path], gray8: Gray) -> None:
    strips = [imagecodecs.packbits_encode(gray8[top : top + 100].tobytes()) for top in range(0, 337, 100)]
    sizes = [len(strip) for strip in strips]
    tags = {259: (SHORT, 32773), 278: (LONG, 100), 279: (LONG, [*sizes[:2], 0, sizes[3]])}
    with pytest.raises(TruncatedImage, match="absent"):
        identify(written(Page(gray8, tags, strips=strips)))


@pytest.mark.parametrize("tags", [{}, {322: (LONG, 0xFFFFFFF0), 323: (LONG, 0xFFFFFFF0)}])
@pytest.mark.parametrize("offset", [8, (1 << 63) - 1, (1 << 64) - 1])
def test_claims_beyond_64_bits_are_errors_of_ours(
    written: Callable[..., Path], gray8: Gray, tags: dict[int, Tag | None], offset: int
) -> None:
    claimed = {256: (LONG, 0xFFFFFFFF), 257: (LONG, 0xFFFFFFFF), 258: (SHORT, 16), 278: (LONG, 0xFFFFFFFF)}
    places = {273: (LONG8, offset), 279: (LONG8, offset), 324: (LONG8, offset), 325: (LONG8, offset)}
    with pytest.raises((TruncatedImage, ImageTooLarge)):
        identify(written(Page(gray8, claimed | places | tags), big=True))


@pytest.mark.parametrize("true", [(1, 1), (2, 1), (2, 2)])
@pytest.mark.parametrize("told", [(1, 1), (2, 1), (2, 2)])
def test_the_subsampling_of_jpeg_data_holds_whatever_the_tag_says(
    tiff: Callable[..., Path], gray8: Gray, true: tuple[int, int], told: tuple[int, int]
) -> None:
    rgb = np.stack([gray8] * 3, axis=-1)
    path = tiff(rgb, photometric="ycbcr", compression="jpeg", subsampling=true)
    before = stored(path)
    with tifffile.TiffFile(path) as file:
        place = file.pages.first.tags[530].valueoffset
    content = bytearray(path.read_bytes())
    struct.pack_into("<HH", content, place, *told)
    path.write_bytes(content)
    assert np.array_equal(stored(path), before)
    assert bool(identify(path).notes) == (true != told)


@pytest.mark.parametrize(("white", "told"), [(255, False), (235, True)])
def test_ycbcr_of_a_smaller_range_is_told(
    written: Callable[..., Path], gray8: Gray, white: int, told: bool
) -> None:
    black = 0 if white == 255 else 16
    reference = [(black, 1), (white, 1), (128, 1), (white, 1), (128, 1), (white, 1)]
    tags = {262: (SHORT, 6), 530: (SHORT, [1, 1]), 532: (RATIONAL, reference)}
    samples = np.dstack([gray8, np.full_like(gray8, 128), np.full_like(gray8, 128)])
    path = written(Page(samples, tags))
    assert np.array_equal(stored(path), samples)
    assert any("ReferenceBlackWhite" in note for note in identify(path).notes) == told


@pytest.mark.parametrize("kind", [0, 1])
def test_a_larger_picture_below_a_page_is_the_picture(tmp_path: Path, gray8: Gray, kind: int) -> None:
    path = tmp_path / "below.tif"
    small = np.ascontiguousarray(gray8[::4, ::4])
    with tifffile.TiffWriter(path) as file:
        file.write(small, subifds=1, subfiletype=kind, metadata=None)
        file.write(gray8, metadata=None)
    with pytest.raises(UnsupportedImage, match="preview"):
        identify(path)
    with tifffile.TiffWriter(path) as file:
        file.write(gray8, subifds=1, metadata=None)
        file.write(small, subfiletype=1, metadata=None)
    assert np.array_equal(stored(path)[..., 0], gray8)


def in_strips(gray: Gray, compression: int, rows: int = 100) -> list[bytes]:
    pack = {1: bytes, 5: imagecodecs.lzw_encode, 8: zlib.compress}
    parts = [gray[top : top + rows] for top in range(0, len(gray), rows)]
    if compression == 32773:  # each row by itself
        return [b"".join(imagecodecs.packbits_encode(row.tobytes()) for row in part) for part in parts]
    return [bytes(pack[compression](np.ascontiguousarray(part).tobytes())) for part in parts]


def behind_all_else(whole: bytes, data: bytes, order: str) -> bytes:
    """Append the data of the only strip, which is where the tag of its place then says."""
    at = whole.index(struct.pack(order + "HHI", 273, LONG, 1))
    return whole[: at + 8] + struct.pack(order + "I", len(whole)) + whole[at + 12 :] + data


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("more", [1, 7, 500, 10_000_000])
@pytest.mark.parametrize("compression", [5, 8, 32773])
def test_compressed_data_may_be_told_to_pass_the_end_of_the_file(
    written: Callable[..., Path], gray8: Gray, compression: int, more: int, order: str
) -> None:
    (data,) = in_strips(gray8, compression, 337)
    page = Page(gray8, {259: (SHORT, compression), 279: (LONG, len(data) + more)}, strips=[data])
    whole = made(page, order=order)
    path = written(page)
    path.write_bytes(behind_all_else(whole, data, order))
    assert np.array_equal(stored(path)[..., 0], gray8)
    assert "passes the end of the file" in identify(path).notes[0]


@pytest.mark.parametrize("lost", [3, 20, 100, 2000, 20_000])
@pytest.mark.parametrize("compression", [5, 8, 32773])
def test_compressed_data_that_are_cut_off_are_refused_still(
    written: Callable[..., Path], gray8: Gray, compression: int, lost: int
) -> None:
    (data,) = in_strips(gray8, compression, 337)
    page = Page(gray8, {259: (SHORT, compression)}, strips=[data])
    whole, path = made(page), written(page)
    lost = lost + 4 if compression == 8 else lost  # beyond the checksum
    path.write_bytes(behind_all_else(whole, data[:-lost], "<"))
    with pytest.raises(MasterError):
        stored(path)


@pytest.mark.parametrize("more", [1, 7, 500, 10_000_000])
@pytest.mark.parametrize("compression", [None, "lzw", "adobe_deflate", "packbits", "jpeg"])
def test_tiles_may_be_told_to_pass_the_end_of_the_file(
    tiff: Callable[..., Path], gray8: Gray, compression: str | None, more: int
) -> None:
    path = tiff(gray8, tile=(64, 64), compression=compression, byteorder=">")
    before = stored(path)
    assert compression == "jpeg" or np.array_equal(before[..., 0], gray8)
    tell(path, 325, lambda counts: [*counts[:-1], counts[-1] + more])
    assert np.array_equal(stored(path), before)


def tell(path: Path, tag: int, change: Callable[[list[int]], list[int]]) -> None:
    """Change the values of a tag of the first page."""
    with tifffile.TiffFile(path) as file:
        one = file.pages.first.tags[tag]
        values = list(one.value) if isinstance(one.value, tuple) else [one.value]
        code = file.byteorder + {3: "H", 4: "I"}[int(one.dtype)] * len(values)
        place = one.valueoffset
    content = bytearray(path.read_bytes())
    most = 0xFFFF if "H" in code else 0xFFFFFFFF
    struct.pack_into(code, content, place, *(min(value, most) for value in change(values)))
    path.write_bytes(content)


FEWER: dict[str, Callable[[list[int]], list[int]]] = {
    "one": lambda counts: [count - 1 for count in counts],
    "most": lambda counts: [1000] * len(counts),
    "of the last": lambda counts: [*counts[:-1], counts[-1] - 2],
}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("name", FEWER)
@pytest.mark.parametrize("form", [{"rowsperstrip": 337}, {"rowsperstrip": 100}, {"tile": (64, 64)}])
def test_too_small_byte_counts_of_whole_data_are_computed(
    tiff: Callable[..., Path], gray16: Gray, form: dict[str, object], name: str, order: str
) -> None:
    path = tiff(gray16, byteorder=order, **form)
    tell(path, 325 if "tile" in form else 279, FEWER[name])
    assert np.array_equal(stored(path)[..., 0], gray16)
    assert "too small for its pixels" in identify(path).notes[0]


def test_too_small_byte_counts_before_something_else_are_missing_pixels(
    written: Callable[..., Path], gray8: Gray
) -> None:
    """What follows the pixels that are there is a text."""
    data = gray8.tobytes()[:-60]
    path = written(Page(gray8, {270: (ASCII, b"a" * 200 + b"\0")}, strips=[data]))
    with pytest.raises(TruncatedImage, match="fewer bytes"):
        identify(path)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [5, 8, 32773])
@pytest.mark.parametrize(
    ("tags", "told"),
    [
        ({266: (SHORT, 0)}, "FillOrder 0"),
        ({317: (SHORT, 0)}, "Predictor is 0"),
        ({339: (SHORT, 0)}, "SampleFormat is 0"),
        ({278: (LONG, 7)}, "RowsPerStrip is too small"),
    ],
)
def test_values_of_no_meaning_are_taken_as_the_usual_ones(
    written: Callable[..., Path],
    gray8: Gray,
    compression: int,
    tags: dict[int, Tag | None],
    told: str,
    order: str,
) -> None:
    strips = in_strips(gray8, compression, 337)
    path = written(Page(gray8, {259: (SHORT, compression)} | tags, strips=strips), order=order)
    assert np.array_equal(stored(path)[..., 0], gray8)
    assert told in identify(path).notes[0]
    assert np.array_equal(by_the_second_decoder(path)[..., 0], gray8)


def by_the_second_decoder(path: Path) -> Gray:
    return np.concatenate([rows for _, rows in second_decoder.read_rows(path, identify(path))])


def test_packbits_has_no_predictor(written: Callable[..., Path], gray8: Gray) -> None:
    tags = {259: (SHORT, 32773), 317: (SHORT, 2)}
    path = written(Page(gray8, tags, strips=in_strips(gray8, 32773, 337)))
    assert np.array_equal(stored(path)[..., 0], gray8)
    assert np.array_equal(by_the_second_decoder(path)[..., 0], gray8)
    assert "Predictor" in identify(path).notes[0]


@pytest.mark.parametrize("compression", [1, 5])
def test_too_few_rows_per_strip_excuse_no_missing_rows(
    written: Callable[..., Path], gray8: Gray, compression: int
) -> None:
    """The strip holds seven rows, as it is told."""
    strips = in_strips(gray8[:7], compression, 7)
    path = written(Page(gray8, {259: (SHORT, compression), 278: (LONG, 7)}, strips=strips))
    with pytest.raises(TruncatedImage):
        stored(path)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "tags", [{258: (SHORT, 1)}, {258: (SHORT, 4)}, {258: None}, {258: (SHORT, 8)}, {257: (LONG, 150)}]
)
def test_far_more_bytes_than_the_pixels_need_are_no_silent_loss(
    written: Callable[..., Path], gray16: Gray, gray8: Gray, tags: dict[int, Tag | None], order: str
) -> None:
    path = written(Page(gray16 if tags.get(258) == (SHORT, 8) else gray8, tags), order=order)
    if 257 in tags:
        assert "far larger" in identify(path).notes[0]
        return
    with pytest.raises(UnsupportedImage, match=r"contradicts its pixel data.*convert it"):
        identify(path)
