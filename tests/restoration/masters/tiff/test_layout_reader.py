"""Odd TIFF headers: what is odd is noted, and missing pixels are an error.

The expected samples are the arrays that the files were made of.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tiff_files import (
    ASCII,
    BYTE_ORDERS,
    LONG,
    LONG8,
    RATIONAL,
    SHORT,
    Page,
    Tag,
    by_second_decoder,
    compressed_strips,
    pixels_last,
    stored_samples,
    tiff_bytes,
)

from restoration import ImageTooLarge, MasterError, TruncatedImage, UnsupportedImage, identify

Gray = np.ndarray


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


@pytest.mark.parametrize(("order", "big"), BYTE_ORDERS)
@pytest.mark.parametrize("name", ODDITIES)
def test_an_odd_header_costs_no_pixel_and_is_noted(
    written: Callable[..., Path], gray8: Gray, name: str, order: str, big: bool
) -> None:
    tags, facts, told = ODDITIES[name]
    path = written(Page(gray8, tags, **facts), order=order, big=big)

    assert np.array_equal(stored_samples(path)[..., 0], gray8)
    notes = "\n".join(identify(path).notes)
    assert (told in notes) if told else not notes


@pytest.mark.parametrize(("kind", "value"), [(LONG, 300), (SHORT, 300), (RATIONAL, [(600, 2)])])
def test_a_resolution_of_another_type_is_read(
    written: Callable[..., Path], gray8: Gray, kind: int, value: object
) -> None:
    path = written(Page(gray8, {282: (kind, value), 283: (kind, value), 296: (SHORT, 2)}))
    assert identify(path).dpi == (300, 300)


@pytest.mark.parametrize("value", [[(0, 0)], [(1, 0)], [(0, 1)]])
def test_an_invalid_resolution_is_dropped(
    written: Callable[..., Path], gray8: Gray, value: list[tuple[int, int]]
) -> None:
    assert identify(written(Page(gray8, {282: (RATIONAL, value), 283: (RATIONAL, value)}))).dpi is None


@pytest.mark.parametrize(("tag", "what"), [(262, "photometric"), (256, "width"), (273, "pixel data are")])
def test_a_missing_required_tag_makes_a_header_incomplete(
    written: Callable[..., Path], gray8: Gray, tag: int, what: str
) -> None:
    with pytest.raises(UnsupportedImage, match=f"incomplete.*{what}.*convert it"):
        identify(written(Page(gray8, {tag: None})))


@pytest.mark.parametrize("tag", [258, 259, 262, 277, 273, 284])
@pytest.mark.parametrize("out_of_reach", [True, False])
def test_an_unreadable_required_value_is_an_error(
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


def test_old_style_lzw_is_read_and_noted(written: Callable[..., Path], gray8: Gray) -> None:
    small = np.ascontiguousarray(gray8[:64, :64])
    path = written(Page(small, {259: (SHORT, 5)}, strips=[old_lzw(small.tobytes())]))
    assert np.array_equal(stored_samples(path)[..., 0], small)
    assert "old style" in identify(path).notes[0]


def test_old_style_lzw_that_is_cut_off_is_refused(written: Callable[..., Path], gray8: Gray) -> None:
    small = np.ascontiguousarray(gray8[:64, :64])
    path = written(Page(small, {259: (SHORT, 5)}, strips=[old_lzw(small.tobytes())[:3000]]))
    with pytest.raises(TruncatedImage):
        stored_samples(path)


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
    whole = tiff_bytes(Page(gray8, tags, **facts))
    path = written(Page(gray8))
    path.write_bytes(pixels_last(whole, data[: int(len(data) * share)]))
    with pytest.raises(MasterError):
        stored_samples(path)


@pytest.mark.parametrize("tags", [{}, {322: (LONG, 0xFFFFFFF0), 323: (LONG, 0xFFFFFFF0)}])
@pytest.mark.parametrize("offset", [8, (1 << 63) - 1, (1 << 64) - 1])
def test_sizes_beyond_64_bits_are_refused(
    written: Callable[..., Path], gray8: Gray, tags: dict[int, Tag | None], offset: int
) -> None:
    claimed = {256: (LONG, 0xFFFFFFFF), 257: (LONG, 0xFFFFFFFF), 258: (SHORT, 16), 278: (LONG, 0xFFFFFFFF)}
    places = {273: (LONG8, offset), 279: (LONG8, offset), 324: (LONG8, offset), 325: (LONG8, offset)}
    with pytest.raises((TruncatedImage, ImageTooLarge)):
        identify(written(Page(gray8, claimed | places | tags), big=True))


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
def test_undefined_values_are_taken_as_the_defaults(
    written: Callable[..., Path],
    gray8: Gray,
    compression: int,
    tags: dict[int, Tag | None],
    told: str,
    order: str,
) -> None:
    strips = compressed_strips(gray8, compression, 337)
    path = written(Page(gray8, {259: (SHORT, compression)} | tags, strips=strips), order=order)
    assert np.array_equal(stored_samples(path)[..., 0], gray8)
    assert told in identify(path).notes[0]
    assert np.array_equal(by_second_decoder(path)[..., 0], gray8)


def test_a_predictor_of_packbits_is_ignored(written: Callable[..., Path], gray8: Gray) -> None:
    tags = {259: (SHORT, 32773), 317: (SHORT, 2)}
    path = written(Page(gray8, tags, strips=compressed_strips(gray8, 32773, 337)))
    assert np.array_equal(stored_samples(path)[..., 0], gray8)
    assert np.array_equal(by_second_decoder(path)[..., 0], gray8)
    assert "Predictor" in identify(path).notes[0]


@pytest.mark.parametrize("compression", [1, 5])
def test_a_short_strip_with_few_rows_is_refused(
    written: Callable[..., Path], gray8: Gray, compression: int
) -> None:
    """The strip holds seven rows, as it is told."""
    strips = compressed_strips(gray8[:7], compression, 7)
    path = written(Page(gray8, {259: (SHORT, compression), 278: (LONG, 7)}, strips=strips))
    with pytest.raises(TruncatedImage):
        stored_samples(path)
