"""Odd JPEGs are repaired before libjpeg reads them; missing or damaged data are refused.

The expected pixels are those that Pillow decodes from the JPEG before it was made odd.
"""

import io
import itertools
import re
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import Image

from restoration import DecodersDisagree, TruncatedImage, UnsupportedImage, identify
from restoration.masters import second_decoder
from restoration.masters.decoder_agreement import DecoderComparison
from restoration.masters.jpeg.scans import lacks_scans
from restoration.masters.strips import Master

Gray = np.ndarray
Maker = Callable[[bytes], Path]
SOS = b"\xff\xda"
END = b"\xff\xd9"


@pytest.fixture
def flat(gray8: Gray) -> Gray:
    """A picture with a plain border, as scanners produce it: its last codes are zeros."""
    picture = np.full((360, 264), 255, np.uint8)
    picture[10:347, 5:256] = gray8
    return picture


@pytest.fixture
def odd(tmp_path: Path) -> Maker:
    def write(data: bytes) -> Path:
        (tmp_path / "odd.jpg").write_bytes(data)
        return tmp_path / "odd.jpg"

    return write


def jpeg(gray: Gray, mode: str = "L", **facts: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(gray).convert(mode).save(out, "JPEG", **facts)
    return out.getvalue()


def decoded(data: bytes) -> Gray:
    with Image.open(io.BytesIO(data)) as image:
        samples = np.asarray(image)
    return samples[..., None] if samples.ndim == 2 else samples


def read(path: Path) -> tuple[Gray, str]:
    facts, notes = identify(path), []
    scan = Master(path, facts, path.parent)
    comparison = DecoderComparison(path, facts, path.parent, second_decoder.read_rows(path, facts))
    scan.overview(64, comparison=comparison, notes=notes)
    assert comparison.finish().decoders == 2
    return np.concatenate([samples for _, samples in scan.stored_strips()]), "\n".join((*facts.notes, *notes))


FORMS: list[tuple[str, dict[str, object]]] = [
    ("L", {}),
    ("RGB", {"subsampling": 0}),
    ("RGB", {"subsampling": 2}),
    ("RGB", {"subsampling": 2, "optimize": True}),
    ("L", {"optimize": True}),
]


@pytest.mark.parametrize(("mode", "facts"), FORMS)
@pytest.mark.parametrize("restarts", [{"restart_marker_rows": 1}, {"restart_marker_blocks": 7}])
@pytest.mark.parametrize("padding", [b"\0", bytes(3), bytes(600), b"\x20" * 64, b"\x55" * 16])
def test_padding_before_restart_markers_is_ignored(
    odd: Maker, flat: Gray, mode: str, facts: dict[str, object], restarts: dict[str, object], padding: bytes
) -> None:
    plain = jpeg(flat, mode, **facts, **restarts)
    padded = re.sub(rb"\xff[\xd0-\xd7]", lambda found: padding + found.group(), plain)
    samples, notes = read(odd(padded))
    assert np.array_equal(samples, decoded(plain))
    assert "padding before its restart markers" in notes


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize(("mode", "facts"), FORMS)
def test_a_missing_end_marker_costs_no_pixel_and_is_noted(
    odd: Maker, flat: Gray, mode: str, facts: dict[str, object], progressive: bool
) -> None:
    plain = jpeg(flat, mode, progressive=progressive, **facts)
    samples, notes = read(odd(plain[:-2]))
    assert np.array_equal(samples, decoded(plain))
    assert "end marker is missing" in notes


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize(("mode", "facts"), FORMS)
def test_a_jpeg_that_ends_early_is_refused_or_whole(
    odd: Maker, gray8: Gray, mode: str, facts: dict[str, object], progressive: bool
) -> None:
    plain = jpeg(gray8, mode, progressive=progressive, **facts)
    for cut in (*range(3, 40), *range(40, len(plain) - 700, 997)):
        path = odd(plain[:-cut])
        try:
            samples, _ = read(path)
        except (TruncatedImage, DecodersDisagree):
            continue
        assert np.array_equal(samples, decoded(plain)), cut


def test_a_progressive_jpeg_that_lacks_whole_scans_is_refused(odd: Maker, gray8: Gray) -> None:
    plain = jpeg(gray8, progressive=True)
    scans = [found.start() for found in re.finditer(re.escape(SOS), plain)]
    tables = plain.rindex(b"\xff\xc4", 0, scans[-1])
    with pytest.raises(TruncatedImage):
        read(odd(plain[: min(tables, scans[-1])]))


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_an_ended_progressive_jpeg_without_all_scans_is_refused(odd: Maker, gray8: Gray, mode: str) -> None:
    plain = jpeg(gray8, mode, progressive=True)
    scans = [found.start() for found in re.finditer(re.escape(SOS), plain)]
    assert len(scans) > 4
    for at in scans[1:]:
        with pytest.raises(TruncatedImage, match="scans are missing"):
            read(odd(plain[:at] + END))
    for start, end in itertools.pairwise(scans[1:]):
        with pytest.raises(TruncatedImage):
            read(odd(plain[:start] + plain[end:]))


def encoded(gray: Gray, mode: str, kind: str) -> bytes:
    samples = np.ascontiguousarray(gray) if mode == "L" else np.dstack([gray, gray[::-1], 255 - gray])
    if kind == "pillow":
        return jpeg(gray, mode, progressive=True)
    if kind == "pillow 4:2:0":
        return jpeg(gray, mode, progressive=True, subsampling=2)
    if kind == "pillow with restarts":
        return jpeg(gray, mode, progressive=True, restart_marker_blocks=5)
    height, width = gray.shape
    image = pyvips.Image.new_from_memory(samples.tobytes(), width, height, samples.size // gray.size, "uchar")
    return image.jpegsave_buffer(Q=90, interlace=True, optimize_scans=kind == "mozjpeg, scans optimized")


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize(
    "kind", ["pillow", "pillow 4:2:0", "pillow with restarts", "mozjpeg", "mozjpeg, scans optimized"]
)
def test_a_complete_progressive_jpeg_with_any_scans_is_read(
    odd: Maker, gray8: Gray, mode: str, kind: str
) -> None:
    plain = encoded(gray8, mode, kind)
    assert plain.count(SOS) > 1
    samples, notes = read(odd(plain))
    assert np.array_equal(samples, decoded(plain))
    assert not notes


def scan(components: str, band: str, high: int, low: int) -> bytes:
    first, last = map(int, band.split("-"))
    ids = bytes(map(int, components.split()))
    content = (
        bytes([len(ids)]) + b"".join(bytes([one, 0]) for one in ids) + bytes([first, last, high << 4 | low])
    )
    return SOS + struct.pack(">H", len(content) + 2) + content + b"data"


WHOLE = {
    "spectral selection only": ["1 2 3|0-0|0|0", "1|1-63|0|0", "2|1-63|0|0", "3|1-63|0|0"],
    "libjpeg's usual script": [
        "1 2 3|0-0|0|1",
        "1|1-5|0|2",
        "3|1-63|0|1",
        "2|1-63|0|1",
        "1|6-63|0|2",
        "1|1-63|2|1",
        "1 2 3|0-0|1|0",
        "3|1-63|1|0",
        "2|1-63|1|0",
        "1|1-63|1|0",
    ],
    "components apart": [f"{i}|{band}|0|0" for band in ("0-0", "1-8", "9-63") for i in (1, 2, 3)],
}


@pytest.mark.parametrize("marker", [0xC2, 0xCA])
@pytest.mark.parametrize("name", WHOLE)
def test_scans_need_every_bit_of_every_coefficient(odd: Maker, name: str, marker: int) -> None:
    frame = b"\x08\0\x10\0\x10\x03" + b"".join(bytes([i, 0x11, 0]) for i in (1, 2, 3))
    head = b"\xff\xd8\xff" + bytes([marker]) + struct.pack(">H", len(frame) + 2) + frame
    scans = []
    for words in WHOLE[name]:
        components, band, high, low = words.split("|")
        scans.append(scan(components, band, int(high), int(low)))

    def lacks(parts: list[bytes]) -> bool:
        with odd(head + b"".join(parts) + END).open("rb") as file:
            return lacks_scans(file)

    assert not lacks(scans)
    for i in range(len(scans)):
        assert lacks(scans[:i] + scans[i + 1 :])


def test_a_sequential_jpeg_needs_all_of_its_scans(odd: Maker) -> None:
    frame = b"\x08\0\x10\0\x10\x03" + b"".join(bytes([i, 0x11, 0]) for i in (1, 2, 3))
    head = b"\xff\xd8\xff\xc0" + struct.pack(">H", len(frame) + 2) + frame
    scans = [scan(str(i), "0-63", 0, 0) for i in (1, 2, 3)]
    for parts, lacks in ((scans, False), (scans[:2], True), ([scan("1 2 3", "0-63", 0, 0)], False)):
        with odd(head + b"".join(parts) + END).open("rb") as file:
            assert lacks_scans(file) == lacks


@pytest.mark.parametrize("end", [b"\xff", b"\xff\xff", b"\xff" * 9])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_half_an_end_marker_costs_no_pixel_and_is_noted(
    odd: Maker, gray8: Gray, mode: str, progressive: bool, end: bytes
) -> None:
    plain = jpeg(gray8, mode, progressive=progressive)
    samples, notes = read(odd(plain[:-2] + end))
    assert np.array_equal(samples, decoded(plain))
    assert "end marker is missing" in notes


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("parameters", [b"\0\0\0", b"\0\x3f\x11", b"\x01\x3f\0"])
def test_odd_parameters_of_a_sequential_scan_are_ignored(
    odd: Maker, gray8: Gray, mode: str, parameters: bytes
) -> None:
    plain = jpeg(gray8, mode)
    at = plain.index(SOS)
    length = int.from_bytes(plain[at + 2 : at + 4], "big")
    end = at + 2 + length
    samples, notes = read(odd(plain[: end - 3] + parameters + plain[end:]))
    assert np.array_equal(samples, decoded(plain))
    assert "parameters of its scan" in notes


@pytest.mark.parametrize("marker", [b"\xff\xdb", b"\xff\xc0", b"\xff\xc4", SOS])
def test_bytes_between_segments_are_ignored(odd: Maker, gray8: Gray, marker: bytes) -> None:
    plain = jpeg(gray8)
    at = plain.index(marker)
    samples, notes = read(odd(plain[:at] + b"\0junk\xff\0" + plain[at:]))
    assert np.array_equal(samples, decoded(plain))
    assert "bytes between its segments" in notes


def test_fill_bytes_before_markers_are_not_noted(odd: Maker, gray8: Gray) -> None:
    plain = jpeg(gray8, restart_marker_rows=1)
    filled = re.sub(rb"\xff[\xd0-\xd7\xdb]", lambda found: b"\xff" * 5 + found.group(), plain)
    samples, _ = read(odd(filled))
    assert np.array_equal(samples, decoded(plain))


def test_an_unknown_jfif_version_is_noted(odd: Maker, gray8: Gray) -> None:
    plain = jpeg(gray8)
    at = plain.index(b"JFIF\0") + 5
    samples, notes = read(odd(plain[:at] + b"\x03" + plain[at + 1 :]))
    assert np.array_equal(samples, decoded(plain))
    assert "JFIF version" in notes


def test_bytes_after_the_end_marker_are_ignored(odd: Maker, gray8: Gray) -> None:
    plain = jpeg(gray8)
    assert np.array_equal(read(odd(plain + b"\xff\xd8trailing" * 99))[0], decoded(plain))


def test_flipped_bits_are_never_taken_for_padding(odd: Maker, gray8: Gray) -> None:
    """libjpeg complains of the damage, although bytes are left over as in padding."""
    plain = jpeg(gray8, restart_marker_rows=1)
    begin = plain.index(SOS) + 10
    rng = np.random.default_rng(7)
    refused = 0
    for at in rng.integers(begin, len(plain) - 2, 60):
        damaged = bytearray(plain)
        damaged[at] ^= 1 << int(rng.integers(8))
        if damaged[at] == 0xFF or damaged[at - 1] == 0xFF:
            continue
        path = odd(bytes(damaged))
        try:
            _, notes = read(path)
        except (TruncatedImage, DecodersDisagree):
            refused += 1
            continue
        assert not notes
    assert refused > 10


def restyled(plain: bytes, start: bytes, change: Callable[[bytearray, int], None]) -> bytes:
    data = bytearray(plain)
    change(data, plain.index(start))
    return bytes(data)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda data, at: data.__setitem__(at + 4, 12), "12 bits"),
        (lambda data, at: data.__setitem__(slice(at + 5, at + 7), b"\0\0"), "height only after its pixels"),
        (lambda data, at: data.__setitem__(at + 1, 0xC3), "lossless"),
        (lambda data, at: data.__setitem__(at + 1, 0xC5), "hierarchical"),
    ],
)
def test_an_unsupported_kind_of_jpeg_is_named(
    odd: Maker, gray8: Gray, change: Callable[[bytearray, int], None], why: str
) -> None:
    with pytest.raises(UnsupportedImage, match=f"{why}.*convert it"):
        identify(odd(restyled(jpeg(gray8), b"\xff\xc0", change)))


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("starts", [1, 5])
@pytest.mark.parametrize("end", [END, b"", b"\xff"])
def test_repeated_start_markers_are_ignored(
    odd: Maker, gray8: Gray, starts: int, end: bytes, progressive: bool
) -> None:
    plain = jpeg(gray8, progressive=progressive)
    samples, notes = read(odd(b"\xff\xd8" * starts + plain[:-2] + end))
    assert np.array_equal(samples, decoded(plain))
    assert "start marker is there more than once" in notes
    assert ("end marker is missing" in notes) == (end != END)


def test_a_start_marker_among_the_segments_is_not_well_formed(odd: Maker, gray8: Gray) -> None:
    plain = jpeg(gray8)
    at = plain.index(b"\xff\xc4")
    with pytest.raises(UnsupportedImage, match=r"not a well-formed JPEG.*convert it"):
        identify(odd(plain[:at] + b"\xff\xd8" + plain[at:]))
