"""Six masters for `saek demo` from CC0 photographs of scikit-image: four to color, two to refuse."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from restoration.errors import AlreadyColor, TruncatedImage

_RED, _GREEN, _BLUE = 0.299, 0.587, 0.114  # BT.601


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample and its expected outcome."""

    path: Path
    """Relative to the folder that it was made in."""
    problem: str | None
    """Code of the error that it is quarantined with; None if it is colored."""


def make_samples(folder: Path) -> tuple[Sample, ...]:
    """Write the sample masters below `folder` and return them with their expected outcomes.

    Raises ImportError where scikit-image (extra `demo`) is not installed.
    """
    from skimage import data  # noqa: PLC0415  (an extra: only demonstrations and tests have it)

    village = Path("서울-1963")
    (folder / village).mkdir(parents=True, exist_ok=True)

    camera: NDArray[np.uint8] = data.camera()
    tifffile.imwrite(folder / "camera.tif", camera, resolution=(300, 300), resolutionunit="inch")

    portrait = _gray(data.astronaut())
    tifffile.imwrite(folder / village / "인물-16bit.tif", _steps(portrait, 16), resolution=(600, 600))

    Image.fromarray(_steps(_gray(data.coffee()), 8)).save(folder / "coffee.jpg", quality=92, dpi=(300, 300))

    launch = _steps(_gray(data.rocket()), 16)
    tifffile.imwrite(folder / "launch-48bit-rgb.tif", np.dstack([launch] * 3), photometric="rgb")

    Image.fromarray(data.chelsea()).save(folder / "cat-in-color.png")

    whole = (folder / "camera.tif").read_bytes()
    (folder / "broken.tif").write_bytes(whole[: len(whole) // 2])

    return (
        Sample(Path("camera.tif"), None),
        Sample(village / "인물-16bit.tif", None),
        Sample(Path("coffee.jpg"), None),
        Sample(Path("launch-48bit-rgb.tif"), None),
        Sample(Path("cat-in-color.png"), AlreadyColor.code),
        Sample(Path("broken.tif"), TruncatedImage.code),
    )


def _gray(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the BT.601 luma (H, W), float64 in [0, 1], of an RGB picture (H, W, 3), uint8."""
    gray: NDArray[np.float64] = (rgb @ np.array([_RED, _GREEN, _BLUE])) / 255
    return gray


def _steps(gray: NDArray[np.float64], bits: int) -> NDArray[np.unsignedinteger]:
    steps: NDArray[np.unsignedinteger] = np.rint(gray * (2**bits - 1)).astype(f"uint{bits}")
    return steps
