"""Training of the error head, and its rank correlation."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file
from skimage import data

from restoration.generators.engines import open_engine
from restoration.generators.models import Library, model_card
from restoration.training import TrainingError, TrainingProgress, export_run, train
from restoration.training import loop as training_loop
from restoration.training.dataset import Picture, chroma_of
from restoration.training.error_correlation import error_correlation
from restoration.training.metrics import held_out_pictures

DOUBT = """
name = "doubting"
checkpoint_minutes = 0.0
evaluation_side = 96
threads = 1
precision = "fp32"
colorfulness = 0.3

[model]
architecture = "lite0-unet-doubt"
pretrained = false

[[phase]]
name = "colors"
samples = 6
size = 32
batch = 2

[[phase]]
name = "doubt"
samples = 6
size = 32
batch = 2
doubt = true
"""


class Stopped(Exception):
    """The end of a process, as the loop sees it."""


@pytest.fixture(autouse=True)
def _a_line_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_loop, "CURVE_STEPS", 1)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "doubt.toml"
    path.write_text(DOUBT)
    return path


@pytest.fixture(scope="module")
def whole(album: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that is not stopped."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "doubt.toml").write_text(DOUBT)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(training_loop, "CURVE_STEPS", 1)
        train(folder / "doubt.toml", album, folder / "run")
    return folder / "run"


def test_training_the_error_head_keeps_the_colors(whole: Path) -> None:
    best, learned = (load_file(whole / f"{name}.safetensors") for name in ("best", "learned"))
    gain = json.loads((whole / "metrics.json").read_text())["gain"]
    assert gain > 1.0
    for name, tensor in learned.items():
        if name.startswith("doubt."):
            assert name.endswith("num_batches_tracked") or not np.array_equal(tensor, best[name])
        elif name.startswith("chroma."):
            assert np.allclose(best[name], gain * tensor.numpy(), rtol=1e-5)
        else:
            assert np.array_equal(tensor, best[name])


def test_the_curve_has_the_error_correlation(whole: Path) -> None:
    with (whole / "curve.csv").open(newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["score"]]
    assert [bool(row["doubt_correlation"]) for row in rows] == [False] * 3 + [True] * 3


@pytest.mark.parametrize("stop", [2, 3, 5])
def test_a_stopped_run_ends_as_if_it_had_not_been(
    album: Path, recipe: Path, whole: Path, tmp_path: Path, stop: int
) -> None:
    def stopping(told: TrainingProgress) -> None:
        if told.step == stop + 1:
            raise Stopped

    with pytest.raises(Stopped):
        train(recipe, album, tmp_path / "halves", progress=stopping)
    train(recipe, album, tmp_path / "halves")
    first, second = (load_file(run / "best.safetensors") for run in (tmp_path / "halves", whole))
    assert [name for name in first if not np.array_equal(first[name].numpy(), second[name].numpy())] == []


def test_the_model_gives_a_third_plane(whole: Path, tmp_path: Path) -> None:
    export_run(whole, "doubting", tmp_path / "models")
    card = model_card("doubting", Library((tmp_path / "models",)))
    assert card.out_channels == 3
    planes = open_engine(card, "cpu").predict(np.full((1, 64, 64), 0.4, np.float32))
    assert planes.shape == (1, 3, 64, 64)
    assert planes[:, 2].min() > 0


@pytest.mark.parametrize(
    ("was", "becomes", "words"),
    [
        ("lite0-unet-doubt", "lite0-unet", "does not predict"),
        ("samples = 6\nsize = 32\nbatch = 2\n\n", "samples = 6\nsize = 32\nbatch = 2\ndoubt = true\n\n", ""),
    ],
)
def test_what_cannot_be_learned_is_refused(
    album: Path, recipe: Path, tmp_path: Path, was: str, becomes: str, words: str
) -> None:
    text = DOUBT.replace(was, becomes)
    if not words:
        text = text[: text.rindex("doubt = true")]
        words = "after their error"
    recipe.write_text(text)
    with pytest.raises(TrainingError, match=words):
        train(recipe, album, tmp_path / "run")


def test_correlation_is_1_for_an_oracle_and_0_for_a_constant() -> None:
    against = held_out_pictures([Picture("cup", "table", data.coffee())], 128)
    chroma = chroma_of(against[0].rgb)

    def oracle(gray: np.ndarray) -> np.ndarray:
        return np.concatenate((0 * chroma, np.hypot(*chroma)[None]))[None]

    def flat(gray: np.ndarray) -> np.ndarray:
        return np.concatenate((0 * chroma, 0 * chroma[:1] + 1))[None]

    assert error_correlation(oracle, against) > 0.97
    assert error_correlation(flat, against) == 0.0
