"""Draw the pictures of docs/research/tiling.md: naive tiles and Saek, passes, detail.

    python benchmarks/tiles_pictures.py [--model NAME] [--photograph astronaut] [--side 2048] [--into DIR]

The scan is a color photograph of scikit-image, enlarged to `--side` pixels and made gray, so that the
original is known. Naive tiles are windows of 256 x 256 at full scale, side by side without overlap, colored
by the same model and engine with the same contrast stretch as in Saek. The chroma error is printed relative
to that of the gray picture. `--into` another folder keeps the pictures of the page, docs/images, unchanged.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from restoration import LoadedModel
    from restoration.arrays.luma import Float, Gray

PHOTOGRAPHS = ("astronaut", "coffee", "rocket")
_BAND = 6
_WIDTH = 1500
_PLAIN = 153
_STRONG = 2.0
"""Chroma without its picture is drawn on one gray, at twice its strength."""


def scan_of(name: str, side: int) -> "tuple[Gray, NDArray[np.uint8]]":
    """Return the gray scan (H, W), uint8, and the original (H, W, 3): an enlarged photograph."""
    from skimage import data

    from restoration.arrays.luma import luma
    from restoration.arrays.resample import fit

    rgb = np.asarray(getattr(data, name)())[..., :3]
    height, width = fit(*rgb.shape[:2], side)
    enlarged = np.asarray(Image.fromarray(rgb).resize((width, height), Image.Resampling.LANCZOS))
    return luma(enlarged), enlarged


def naive(gray: "Gray", model: "LoadedModel") -> "Float":
    """Return the chroma (2, H, W) of tiles at full scale, each inferred alone."""
    from restoration.arrays.tiling import WINDOW
    from restoration.colorize.inference import apply_stretch, contrast_stretch, infer_windows

    luminance = gray.astype(np.float32) / np.float32(255)
    seen = apply_stretch(luminance, contrast_stretch(luminance))
    chroma = np.zeros((2, *seen.shape), np.float32)
    for top in range(0, seen.shape[0], WINDOW):
        for left in range(0, seen.shape[1], WINDOW):
            tile = seen[top : top + WINDOW, left : left + WINDOW]
            (part,) = infer_windows(model.engine, [tile], model.spec.multiple)
            chroma[:, top : top + WINDOW, left : left + WINDOW] = part
    return chroma


def whole_picture_passes(gray: "Gray", model: "LoadedModel") -> "list[Float]":
    """Return the chroma (2, h, w) of each pass over the whole picture, aligned, then their mean."""
    from restoration import Preset
    from restoration.arrays import resample
    from restoration.colorize.inference import apply_stretch, colorize, contrast_stretch, infer_chroma
    from restoration.colorize.plan import guide_side, plan_passes

    luminance = gray.astype(np.float32) / np.float32(255)
    side = min(max(gray.shape), guide_side(Preset.BALANCED, *gray.shape))
    luminance = resample.reduce(luminance, *resample.fit(*gray.shape, side))
    seen = apply_stretch(luminance, contrast_stretch(luminance))
    found = []
    for one in plan_passes(*luminance.shape, Preset.BALANCED, model.spec).palette:
        turn = -1 if one.mirrored else 1
        plane = resample.resize(seen, *one.shape)[:, ::turn]
        found.append(infer_chroma(model.engine, plane, model.spec.multiple)[..., ::turn])
    return [*found, colorize(luminance, Preset.BALANCED, model.spec, model.engine).palette]


def drawn(chroma: "Float") -> "NDArray[np.uint8]":
    """Return chroma (2, H, W) alone as RGB bytes (H, W, 3)."""
    from restoration.evaluation.rendering import colored

    return colored(np.full(chroma.shape[1:], _PLAIN, np.uint8), chroma, _STRONG)


def beside(pictures: "Sequence[NDArray[np.uint8]]", width: int) -> "NDArray[np.uint8]":
    """Return pictures (H, W, 3) of one size side by side on white, together `width` wide."""
    each = (width - _BAND * (len(pictures) - 1)) // len(pictures)
    height = round(each * pictures[0].shape[0] / pictures[0].shape[1])
    sheet = np.full((height, each * len(pictures) + _BAND * (len(pictures) - 1), 3), 255, np.uint8)
    for place, picture in enumerate(pictures):
        left = place * (each + _BAND)
        small = Image.fromarray(picture).resize((each, height), Image.Resampling.LANCZOS)
        sheet[:, left : left + each] = np.asarray(small)
    return sheet


def main() -> None:
    """Print the errors and draw the pictures."""
    from restoration import Preset, default_model, load_model, model_card
    from restoration.arrays import resample
    from restoration.evaluation.metrics import chroma_l1
    from restoration.evaluation.rendering import colored, left_gray, predicted_chroma
    from restoration.training.dataset import chroma_of

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", help="default: the default model")
    parser.add_argument("--photograph", choices=PHOTOGRAPHS, default="astronaut")
    parser.add_argument("--side", type=int, default=2048, help="longer side of the scan, pixels")
    parser.add_argument("--into", type=Path, default=Path("docs/images"))
    options = parser.parse_args()

    model = load_model(model_card(options.model) if options.model else default_model(), "cpu", 1)
    gray, truth = scan_of(options.photograph, options.side)
    tiles = naive(gray, model)
    ours = {
        preset: predicted_chroma(gray, preset, model)
        for preset in (Preset.FAST, Preset.BALANCED, Preset.FINE)
    }
    plain = chroma_l1(left_gray(gray), truth)
    for name, chroma in (("naive tiles", tiles), *ours.items()):
        print(f"{name:12s} chroma error {chroma_l1(colored(gray, chroma), truth) / plain:.3f} of gray's")

    seen = whole_picture_passes(gray, model)
    middle = tuple(slice(side // 5, side // 5 + side // 3) for side in gray.shape)
    sheets = {
        "tiling-naive": [
            [left_gray(gray), colored(gray, tiles), colored(gray, ours[Preset.BALANCED])],
            [drawn(chroma) for chroma in (chroma_of(truth), tiles, ours[Preset.BALANCED])],
        ],
        "tiling-looks": [[drawn(resample.enlarge(one, *seen[-1].shape[1:])) for one in seen]],
        "tiling-detail": [
            [
                left_gray(gray)[middle],
                *(drawn(ours[preset])[middle] for preset in (Preset.BALANCED, Preset.FINE)),
            ]
        ],
    }
    options.into.mkdir(parents=True, exist_ok=True)
    for name, rows in sheets.items():
        path = options.into / f"{name}.jpg"
        Image.fromarray(np.vstack([beside(row, _WIDTH) for row in rows])).save(path, quality=86)
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
