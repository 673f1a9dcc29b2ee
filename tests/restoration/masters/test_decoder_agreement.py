import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from restoration import DecodersDisagree, NoSpace, TruncatedImage, identify
from restoration.masters import decoder_agreement, second_decoder
from restoration.masters.decode_errors import NoSecondDecoder
from restoration.masters.decoder_agreement import DecoderComparison, ReferenceDigests
from restoration.masters.strips import Master

Gray = np.ndarray
Maker = Callable[..., Path]
Rows = Iterator[tuple[int, Gray]]


def seen(path: Path, other: Rows | None = None) -> ReferenceDigests:
    facts = identify(path)
    both = DecoderComparison(path, facts, path.parent, other or second_decoder.read_rows(path, facts))
    for top, samples in Master(path, facts, path.parent).stored_strips():
        both.add(top, samples)
    return both.finish()


def sha256(plane: Gray) -> str:
    return hashlib.sha256(np.ascontiguousarray(plane).tobytes()).hexdigest()


NOTHING = hashlib.sha256().hexdigest()


def test_two_decoders_agree_on_the_stored_samples(
    tiff: Maker, picture: Maker, gray8: Gray, gray16: Gray
) -> None:
    for path, gray in (
        (tiff(gray8, "a.tif"), gray8),
        (tiff(gray16, "b.tif", compression="lzw"), gray16),
        (tiff(gray16, "c.tif", byteorder=">", tile=(64, 64)), gray16),
        (picture(gray8, "a.png"), gray8),
        (tiff(gray8, "d.tif", photometric="miniswhite"), 255 - gray8),
    ):
        assert seen(path) == ReferenceDigests(2, sha256(gray), NOTHING)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["L", "LA", "RGB"])
def test_the_gray_is_that_of_the_upright_picture(
    tmp_path: Path, gray8: Gray, orientation: int, mode: str
) -> None:
    image = Image.fromarray(gray8).convert(mode)
    if mode == "RGB":
        image = Image.merge(
            "RGB", [image.getchannel(0), ImageOps.invert(image).getchannel(1), image.getchannel(2)]
        )
    exif = Image.Exif()
    exif[274] = orientation
    image.save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as opened:
        upright = ImageOps.exif_transpose(opened)
    alpha = NOTHING if mode != "LA" else sha256(np.asarray(upright.getchannel("A")))

    assert seen(tmp_path / "a.png") == ReferenceDigests(2, sha256(np.asarray(upright.convert("L"))), alpha)


def test_the_height_of_the_portions_does_not_matter(
    tiff: Maker, gray16: Gray, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiff(gray16, rowsperstrip=11)
    monkeypatch.setattr("restoration.masters.strips.STRIP_PIXELS", 2000)
    monkeypatch.setattr("restoration.masters.tiff.segments._SPAN_PIXELS", 7000)
    assert seen(path) == ReferenceDigests(2, sha256(gray16), NOTHING)


def test_one_step_in_one_pixel_is_a_disagreement(tiff: Maker, gray8: Gray) -> None:
    path = tiff(gray8)
    other = gray8.copy()
    other[211, 97] ^= 1

    with pytest.raises(DecodersDisagree, match=r"1 steps apart, as at row 211, column 97") as caught:
        seen(path, iter([(0, other[..., None])]))
    assert caught.value.path == path


def test_data_that_only_one_decoder_reads_are_a_disagreement(tiff: Maker, gray8: Gray) -> None:
    def cut() -> Rows:
        yield 0, gray8[:100, :, None]
        raise TruncatedImage(reason="its pixel data are cut off", remedy="copy it again")

    with pytest.raises(DecodersDisagree, match="cut off"):
        seen(tiff(gray8), cut())


def test_other_bands_are_a_disagreement(tiff: Maker, gray8: Gray) -> None:
    with pytest.raises(DecodersDisagree, match="1 samples per pixel, another 2"):
        seen(tiff(gray8), iter([(0, np.dstack([gray8, gray8]))]))


def test_a_palette_of_grays_may_be_read_as_gray_or_as_colors(tmp_path: Path, gray8: Gray) -> None:
    image = Image.fromarray(gray8).quantize(16)
    image.save(tmp_path / "a.tif")
    assert seen(tmp_path / "a.tif") == ReferenceDigests(2, sha256(np.asarray(image.convert("L"))), NOTHING)


@pytest.mark.parametrize("after", [0, 100])
def test_without_a_second_decoder_one_is_counted(tiff: Maker, gray8: Gray, after: int) -> None:
    def refusing() -> Rows:
        if after:
            yield 0, gray8[:after, :, None]
        raise NoSecondDecoder

    assert seen(tiff(gray8), refusing()) == ReferenceDigests(1, sha256(gray8), NOTHING)


def test_a_full_scratch_disk_is_a_transient_error(
    tiff: Maker, gray8: Gray, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiff(gray8)
    full = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115
    monkeypatch.setattr(decoder_agreement.tempfile, "TemporaryFile", lambda **_: full)
    both = DecoderComparison(path, replace(identify(path), orientation=6), path.parent, None)

    with pytest.raises(NoSpace):
        both.add(0, gray8[..., None])
    full.close()
