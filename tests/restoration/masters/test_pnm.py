"""PBM, PGM and PPM, plain and raw; the expected samples are the arrays, or what Pillow reads."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from restoration import MasterError, TruncatedImage, UnsupportedImage, identify
from restoration.masters import strips
from restoration.masters.strips import Master

Gray = np.ndarray
Maker = Callable[[bytes], Path]


@pytest.fixture(autouse=True)
def small_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strips, "STRIP_PIXELS", 5000)


@pytest.fixture
def pnm(tmp_path: Path) -> Maker:
    def write(data: bytes) -> Path:
        (tmp_path / "a.pnm").write_bytes(data)
        return tmp_path / "a.pnm"

    return write


def stored(path: Path) -> Gray:
    return np.concatenate(
        [samples for _, samples in Master(path, identify(path), path.parent).stored_strips()]
    )


def raw(samples: Gray) -> bytes:
    kind = 6 if samples.ndim == 3 else 5
    most = np.iinfo(samples.dtype).max
    big_endian = samples.astype(samples.dtype.newbyteorder(">"))
    return (
        f"P{kind}\n# a comment\n{samples.shape[1]} {samples.shape[0]}\n{most}\n".encode()
        + big_endian.tobytes()
    )


def plain(samples: Gray) -> bytes:
    kind = 3 if samples.ndim == 3 else 2
    head = f"P{kind} #c\n{samples.shape[1]}\t{samples.shape[0]} {np.iinfo(samples.dtype).max} "
    return head.encode() + b" ".join(b"%d" % number for number in samples.ravel().tolist())


@pytest.mark.parametrize("form", [raw, plain])
@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("depth", [8, 16])
def test_samples_are_the_integers_of_the_file(
    pnm: Maker, gray8: Gray, gray16: Gray, form: Callable[[Gray], bytes], color: bool, depth: int
) -> None:
    gray = gray8 if depth == 8 else gray16
    samples = np.stack([gray, gray // 2, gray // 3], axis=-1) if color else gray
    path = pnm(form(samples))
    facts = identify(path)
    assert (facts.format, facts.bands, facts.bit_depth) == ("pnm", 3 if color else 1, depth)
    assert np.array_equal(stored(path), samples.reshape(*gray.shape, -1))


def test_a_bitmap_is_read_like_by_pillow(pnm: Maker, gray8: Gray) -> None:
    out = io.BytesIO()
    Image.fromarray(gray8).convert("1").save(out, "PPM")
    expected = np.asarray(Image.fromarray(gray8).convert("1").convert("L"))
    assert out.getvalue().startswith(b"P4")
    assert np.array_equal(stored(pnm(out.getvalue()))[..., 0], expected)


def test_a_plain_bitmap_needs_no_spaces(pnm: Maker) -> None:
    path = pnm(b"P1\n5 2\n10110 0 1\n010")
    assert stored(path)[..., 0].tolist() == [[0, 255, 0, 0, 255], [255, 0, 255, 0, 255]]


@pytest.mark.parametrize("most", [1, 15, 254, 256, 1023, 4095])
def test_another_white_is_refused_with_its_reason(pnm: Maker, most: int) -> None:
    with pytest.raises(UnsupportedImage, match=f"white is {most:,}.*convert it"):
        identify(pnm(b"P5 4 4 %d\n" % most + bytes(32)))


@pytest.mark.parametrize("form", [raw, plain])
def test_missing_pixels_are_detected(pnm: Maker, gray8: Gray, form: Callable[[Gray], bytes]) -> None:
    whole = form(gray8)
    for share in (0.2, 0.7, 0.99):
        with pytest.raises(TruncatedImage):
            stored(pnm(whole[: int(len(whole) * share)]))


DAMAGED = (
    b"P5",
    b"P5 4",
    b"P5 4 4",
    b"P5 x 4 255\n",
    b"P5 0 4 255\n",
    b"P5 2 2 255\xc0\1\2\3\4",
    b"P2 2 1 255 3 x",
    b"P2 2 1 255 3 999",
    b"P1 2 1 2 0",
    b"P5 99999999999999 4 255\n",
    b"P5 #" + b"c" * 70_000,
    b"P2 1 1 255 " + b"1" * 99,
)


@pytest.mark.parametrize("data", DAMAGED)
def test_damaged_files_are_refused(pnm: Maker, data: bytes) -> None:
    path = pnm(data)
    with pytest.raises(MasterError):
        stored(path)


def test_a_pnm_is_restored_like_other_formats(
    pnm: Maker, gray16: Gray, loaded: object, recipe: Callable[..., object], tmp_path: Path
) -> None:
    from restoration import Compute, Input, Output, restore  # noqa: PLC0415

    done = restore(Input(pnm(raw(gray16))), recipe(), Output(tmp_path / "out.tif"), Compute(model=loaded))
    assert (done.luma_max_error, done.bit_depth) == (0, 16)
    assert not done.metadata.noted  # two decoders read it
