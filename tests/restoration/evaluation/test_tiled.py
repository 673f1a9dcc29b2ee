"""Tiling metrics of models with and without seams."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from restoration import LoadedModel, Preset
from restoration.evaluation.evaluated_models import EvaluatedModel
from restoration.evaluation.options import EvaluationOptions, silent
from restoration.evaluation.pictures import Half, list_pictures
from restoration.evaluation.tiled import SHIFTS, TilingMeasured, measure_tiling
from restoration.generators.models import InputSpec

SubjectMaker = Callable[..., EvaluatedModel]


class Moody:
    """Paints each window with a ramp of its own: what a window shows depends on where it lies."""

    name = "test/cpu/moody"

    def predict(self, gray: np.ndarray) -> np.ndarray:
        ramp = np.linspace(-0.2, 0.2, gray.shape[2], dtype=np.float32)
        waves = 0.2 * np.sin(np.arange(gray.shape[1], dtype=np.float32) / 5)[:, None]
        return np.stack((gray * 0 + ramp + waves, gray * 0 - ramp), axis=1)

    def with_statistics(self, pictures: np.ndarray, weights: np.ndarray) -> "Moody":
        assert len(pictures) == len(weights)
        return self


class Steady(Moody):
    """Paints by tone alone."""

    def predict(self, gray: np.ndarray) -> np.ndarray:
        return np.stack((0.1 - 0.2 * gray, 0.1 * gray), axis=1)


def in_windows(subject: EvaluatedModel, engine: Moody) -> EvaluatedModel:
    """A model that normalizes by instance, and so colors in windows."""
    model = subject.model
    windowed = LoadedModel(engine, InputSpec(256, 256, "instance"), model.weights)
    return replace(subject, model=windowed)


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scan, and a color picture that is none."""
    folder = tmp_path_factory.mktemp("scans")
    Image.fromarray(data.camera()[:401, :503]).save(folder / "camera.png")
    Image.fromarray(data.coffee()[:200, :200]).save(folder / "coffee.png")
    return folder


def measured(scans: Path | None, gallery: Path, *subjects: EvaluatedModel, side: int = 256) -> TilingMeasured:
    listing = list_pictures(gallery, Half.ALL)
    return measure_tiling(scans, listing, subjects, EvaluationOptions(side=side), progress=silent)


def test_where_nothing_is_cut_into_windows_there_is_no_seam(
    scans: Path, gallery: Path, subject: SubjectMaker
) -> None:
    found = measured(scans, gallery, subject())
    assert found.of_scans
    assert list(found.refused) == ["coffee.png"]
    for preset in Preset:
        (one,) = found.models["sepia"][preset]
        assert (one.name, one.height, one.width) == ("camera.png", 401, 503)
        assert (one.seam_ratio, one.shift_spread, one.luma_error) == (None, None, 0)
        assert one.consistency < 1


def test_colors_that_follow_the_windows_are_found(scans: Path, gallery: Path, subject: SubjectMaker) -> None:
    moody = in_windows(subject("moody"), Moody())
    found = measured(scans, gallery, in_windows(subject("steady"), Steady()), moody)
    (steady,), (wild,) = (found.models[name][Preset.BALANCED] for name in ("steady", "moody"))
    assert steady.windows == wild.windows > SHIFTS
    assert steady.shift_spread is not None
    assert wild.shift_spread is not None
    assert steady.shift_spread < 1e-3
    assert wild.shift_spread > 0.1
    assert steady.seam_ratio == pytest.approx(1, abs=0.001)


def test_without_scans_the_gray_copies_are_measured(gallery: Path, subject: SubjectMaker) -> None:
    found = measured(None, gallery, subject(), side=128)
    assert not found.of_scans
    assert len(found.models["sepia"][Preset.FINE]) == 4
    assert max(one.height for one in found.models["sepia"][Preset.FINE]) == 128


def test_the_same_is_measured_twice(scans: Path, gallery: Path, subject: SubjectMaker) -> None:
    model = in_windows(subject(), Moody())
    assert measured(scans, gallery, model) == measured(scans, gallery, model)
