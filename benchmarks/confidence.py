"""Measure how well the confidence of a model predicts its wrong colors, and fit its calibration.

    python benchmarks/confidence.py --data DIR [--model NAME|DIR] [--side 256] [--preset P] [--half HALF]

The pictures are of the validation half of a folder's manifest; `--half test` is for reporting only. One pixel
in eight is drawn with a fixed seed. It prints Spearman's correlation of the predicted with the true error of
the chroma (over all pixels, and inside each picture), twenty classes of predicted error of equal size with
their share of close pixels and the one that `restoration.colorize.predicted_error` gives, and the constants
that fit these shares best.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from restoration.colorize.predicted_error import PredictedError
    from restoration.training.dataset import Picture

CLASSES = 20


def held_out(folder: Path, half: str) -> "Iterator[Picture]":
    """Yield the color pictures of one half."""
    from restoration.training.dataset import listed, read_picture
    from restoration.training.recipe import DataPlan

    for name, path in listed(folder)[half]:
        picture = read_picture(folder, name, path, DataPlan(side=1024))
        if picture is not None:
            yield picture


def measured(options: argparse.Namespace) -> "Iterator[tuple[str, PredictedError, NDArray[np.floating]]]":
    """Yield set, predicted and true chroma errors (n,) of each picture."""
    from restoration import Preset, default_model
    from restoration.arrays.luma import luma
    from restoration.colorize.predicted_error import PredictedError, predict_error
    from restoration.evaluation.evaluated_models import open_evaluated_models
    from restoration.evaluation.rendering import colored, luminance_of, predicted_chroma
    from restoration.training.metrics import chroma_error, reduced
    from restoration.training.rank_correlation import sampled_pixels

    model = open_evaluated_models([options.model or default_model().name], threads=1)[0].model
    for place, picture in enumerate(held_out(options.data, options.half)):
        rgb = reduced(picture.rgb, options.side)
        gray = luma(rgb)
        chroma = predicted_chroma(gray, Preset(options.preset), model)
        made = colored(gray, chroma)
        error = chroma_error(made, rgb).ravel()
        some = sampled_pixels(error.size, place)
        found = predict_error(luminance_of(gray), chroma, model.spec, model.engine)
        yield picture.set, PredictedError(found.values.ravel()[some], found.calibration), error[some]


def fitted(predictions: "NDArray[np.float64]", shares: "NDArray[np.float64]") -> tuple[float, float]:
    """Return middle and slope of the curve through the shares, by least squares of their logits."""
    held = np.clip(shares, 0.01, 0.99)
    slope, height = np.polyfit(np.log(predictions), np.log(1 / held - 1), 1)
    return float(np.exp(-height / slope)), float(slope)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model")
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--half", choices=("validation", "test"), default="validation")
    options = parser.parse_args()

    from restoration.colorize.predicted_error import CLOSE, PredictedError
    from restoration.training.rank_correlation import spearman

    sets, found, errors = zip(*measured(options), strict=True)
    predictions = [one.values for one in found]
    inside = [(name, spearman(d, e)) for name, d, e in zip(sets, predictions, errors, strict=True)]
    known = [value for _, value in inside if value is not None]
    everywhere, error = np.concatenate(predictions), np.concatenate(errors)
    over_all = spearman(everywhere, error)
    print(f"{len(sets)} pictures; correlation {over_all:.3f} over all pixels, inside a picture")
    print(f"{np.mean(known):.3f} on average, {np.median(known):.3f} in the median; by set:")
    for one in sorted(set(sets)):
        print(f"  {one:18} {np.mean([v for name, v in inside if name == one and v is not None]):.2f}")
    order = np.argsort(everywhere, kind="stable")
    parts = [(everywhere[part].mean(), error[part]) for part in np.array_split(order, CLASSES)]
    print("\npredicted close   given   mean error")
    for middle, off in parts:
        told = float(PredictedError(np.array([middle], np.float32), found[0].calibration).confidence()[0])
        print(f"{middle:.4f}  {(off <= CLOSE).mean():.3f}   {told:.3f}   {off.mean():.4f}")
    middle, slope = fitted(
        np.array([middle for middle, _ in parts]), np.array([(off <= CLOSE).mean() for _, off in parts])
    )
    print(f"\nbest: middle {middle:.4f}, slope {slope:.2f}")


if __name__ == "__main__":
    main()
