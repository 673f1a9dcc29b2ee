"""Thresholds from training pictures: percentiles, historical sets, missing manifests."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from restoration.evaluation.blotch_thresholds import BlotchThresholds, require_thresholds, training_thresholds
from restoration.evaluation.chroma_histogram import (
    BIN,
    chroma_magnitudes,
)
from restoration.evaluation.errors import EvaluationError
from restoration.evaluation.options import silent
from restoration.training.dataset import read_picture
from restoration.training.recipe import DataPlan


def test_thresholds_are_percentiles_of_training_pictures(gallery: Path) -> None:
    pictures = [
        read_picture(gallery, "people", f"train/people/{number}.png", DataPlan(side=192))
        for number in range(4)
    ]
    pixels = np.concatenate([chroma_magnitudes(one.rgb).ravel() for one in pictures if one is not None])

    found = training_thresholds(gallery, silent)

    assert found is not None
    assert found.training == pytest.approx(np.percentile(pixels, 99.9), abs=2 * BIN)
    assert found.film is None


def test_historical_sets_have_a_threshold_of_their_own(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rows = [("path", "split", "set")]
    for name, strong in (("prokudin", 60), ("clothing", 255)):
        Image.fromarray(rng.integers(0, strong, (64, 64, 3), dtype=np.uint8)).save(tmp_path / f"{name}.png")
        rows.append((f"{name}.png", "train", name))
    with (tmp_path / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)

    found = training_thresholds(tmp_path, silent)

    assert found is not None
    assert found.film is not None
    assert 0 < found.film < 0.15 < found.training


def test_progress_is_reported(gallery: Path) -> None:
    told: list[tuple[str, int, int]] = []

    training_thresholds(gallery, lambda *progress: told.append(progress))

    assert told == [("training pictures", 0, 4)]


def test_without_a_manifest_there_are_no_thresholds(album: Path) -> None:
    assert training_thresholds(album, silent) is None
    with pytest.raises(EvaluationError, match="--blotch-threshold"):
        require_thresholds(None, album)
    assert require_thresholds(BlotchThresholds(0.3, None), album).training == 0.3
