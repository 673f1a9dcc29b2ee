"""The second decoder gives all pixels of a JPEG, or an error if any are missing."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from grainy_pictures import grain, second_decoder_samples
from PIL import Image

from restoration import TruncatedImage

Array = np.ndarray
Maker = Callable[..., Path]
pytestmark = pytest.mark.usefixtures("small_portions")


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("facts", [{}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_rows": 1}])
def test_a_jpeg_is_read_as_pillow_reads_it(tmp_path: Path, mode: str, facts: dict) -> None:
    image = Image.fromarray(grain(90, 70, 3)).convert(mode)
    image.save(tmp_path / "a.jpg", quality=85, **facts)
    with Image.open(tmp_path / "a.jpg") as opened:
        expected = np.asarray(opened).reshape(90, 70, -1)

    assert np.array_equal(second_decoder_samples(tmp_path / "a.jpg"), expected)


@pytest.mark.parametrize("facts", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
@pytest.mark.parametrize("keep", [0.3, 0.6, 0.9, 0.98])
def test_a_jpeg_that_lacks_pixels_is_damaged(tmp_path: Path, facts: dict, keep: float) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(grain(90, 70, 3)).save(path, quality=85, **facts)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)].rstrip(b"\xff") + b"\xff\xd9")

    with pytest.raises(TruncatedImage):
        second_decoder_samples(path)


@pytest.mark.parametrize("kind", ["jpeg", "tiff"])
def test_missing_data_of_the_last_rows_are_detected(tmp_path: Path, kind: str) -> None:
    """libvips and libjpeg fill up the last row of blocks without a word."""
    gray = grain(88, 120)
    path = tmp_path / "a"
    if kind == "jpeg":
        Image.fromarray(gray).save(path, "JPEG", quality=85)
    else:
        tifffile.imwrite(path, gray, compression="jpeg", rowsperstrip=88)
    data = bytearray(path.read_bytes())
    end = data.rindex(b"\xff\xd9")
    data[end - 40 : end - 38] = b"\xff\xd9"
    path.write_bytes(data)

    with pytest.raises(TruncatedImage):
        second_decoder_samples(path)


def test_a_jpeg_without_its_end_marker_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(grain(90, 70)).save(path, quality=85)
    whole = second_decoder_samples(path)
    path.write_bytes(path.read_bytes().removesuffix(b"\xff\xd9"))

    assert np.array_equal(second_decoder_samples(path), whole)


def test_missing_data_between_restarts_are_detected(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(grain(90, 70)).save(path, quality=85, restart_marker_rows=1)
    whole = path.read_bytes()
    at = whole.index(b"\xff\xd3")
    path.write_bytes(whole[: at - 40].rstrip(b"\xff") + whole[at:])
    with pytest.raises(TruncatedImage):
        second_decoder_samples(path)

    path.write_bytes(whole[:at] + bytes(600) + whole[at:])  # as some scanners pad
    with Image.open(io.BytesIO(whole)) as opened:
        assert np.array_equal(second_decoder_samples(path)[..., 0], np.asarray(opened))
