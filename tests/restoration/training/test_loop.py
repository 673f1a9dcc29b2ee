"""A training run: files, resuming, export."""

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file
from skimage import data

from restoration.generators.engines import open_engine
from restoration.generators.models import (
    Library,
    Storage,
    installed_models,
    model_card,
    verify_model,
    weights_path,
)
from restoration.generators.models.installation import import_model
from restoration.generators.networks.architectures import ChromaGenerator, SeedChroma
from restoration.generators.networks.lite0_unet import Lite0Unet
from restoration.training import TrainingError, TrainingProgress, TrainingResult, export_run, train
from restoration.training import loop as training_loop
from restoration.training.loop import chroma_predictor

Make = Callable[..., Path]


class Stopped(Exception):
    """The end of a process, as the loop sees it."""


@pytest.fixture(autouse=True)
def _a_line_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_loop, "CURVE_STEPS", 1)


@dataclass(frozen=True)
class Run:
    path: Path
    recipe: Path
    result: TrainingResult
    progress: tuple[TrainingProgress, ...]


@pytest.fixture(scope="module")
def whole(album: Path, write_recipe: Make, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of the short recipe that is not stopped."""
    folder, told = tmp_path_factory.mktemp("whole"), []
    recipe = write_recipe(folder / "smoke.toml")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(training_loop, "CURVE_STEPS", 1)
        result = train(recipe, album, folder / "run", progress=told.append)
    return Run(folder / "run", recipe, result, tuple(told))


def test_a_run_explains_itself(whole: Run) -> None:
    run, result = whole.path, whole.result

    assert [(report.phase, report.step, report.steps) for report in whole.progress] == [
        ("first", 1, 4),
        ("first", 2, 4),
        ("second", 3, 4),
        ("second", 4, 4),
    ]
    facts = json.loads((run / "run.json").read_text())
    assert facts["pictures"]["train"] == sum(facts["sets"].values())
    assert (run / "recipe.toml").read_bytes() == whole.recipe.read_bytes()
    assert json.loads((run / "metrics.json").read_text())["step"] == result.best_step
    assert result.validation[0].set == "all"
    assert result.test[0].gray.colorfulness == pytest.approx(0.0, abs=1e-3)
    with Image.open(run / "sheets" / "step-0000004.png") as sheet:
        assert sheet.height == 3 * 96


def test_the_weights_kept_are_those_with_the_best_score(
    album: Path, smoke_recipe: Make, tmp_path: Path
) -> None:
    result = train(smoke_recipe(first=8), album, tmp_path / "run")

    scores = {int(row["step"]): float(row["score"]) for row in _curve(tmp_path / "run") if row["score"]}
    assert result.best_step == min(scores, key=scores.__getitem__)
    assert result.validation[0].score == pytest.approx(scores[result.best_step], abs=1e-4)


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_a_stopped_run_goes_on_with_the_same_curve(
    album: Path, smoke_recipe: Make, whole: Run, tmp_path: Path, stop: int
) -> None:
    def stopping(report: TrainingProgress) -> None:
        if report.step == stop + 1:
            raise Stopped

    with pytest.raises(Stopped):
        train(smoke_recipe(), album, tmp_path / "halves", progress=stopping)
    train(smoke_recipe(), album, tmp_path / "halves")

    assert _curve(tmp_path / "halves") == _curve(whole.path)
    first, second = (load_file(run / "best.safetensors") for run in (whole.path, tmp_path / "halves"))
    assert all(np.array_equal(first[name].numpy(), second[name].numpy()) for name in first)


def test_a_checkpoint_holds_nothing_that_must_be_unpickled(album: Path, whole: Run, tmp_path: Path) -> None:
    shutil.copytree(whole.path, tmp_path / "run")

    again = train(whole.recipe, album, tmp_path / "run")

    assert again.steps == 4


def test_phases_to_come_may_be_changed_and_those_begun_may_not(
    album: Path, smoke_recipe: Make, tmp_path: Path
) -> None:
    def stopping(report: TrainingProgress) -> None:
        if report.step == 2:
            raise Stopped

    with pytest.raises(Stopped):
        train(smoke_recipe(), album, tmp_path / "run", progress=stopping)

    with pytest.raises(TrainingError, match="another recipe"):
        train(smoke_recipe(first=8), album, tmp_path / "run")
    assert train(smoke_recipe(second=2), album, tmp_path / "run").steps == 3


def test_fresh_refuses_a_folder_with_a_run(album: Path, whole: Run) -> None:
    with pytest.raises(TrainingError, match="holds a run") as caught:
        train(whole.recipe, album, whole.path, resume=False)

    assert caught.value.path == whole.path


def test_learning_lowers_the_loss(smoke_recipe: Make, tmp_path: Path) -> None:
    album = tmp_path / "album"
    album.mkdir()
    for number in range(40):
        Image.fromarray(data.coffee()[100:228, 200:328]).save(album / f"{number}.png")

    recipe = smoke_recipe(first=80, second=2)
    recipe.write_text(recipe.read_text().replace("checkpoint_minutes = 0.0", "checkpoint_minutes = 60.0"))

    train(recipe, album, tmp_path / "run")

    losses = [float(row["loss"]) for row in _curve(tmp_path / "run") if row["phase"] == "first"]
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:10])


def test_a_side_that_the_generator_does_not_take_is_told(
    album: Path, smoke_recipe: Make, tmp_path: Path
) -> None:
    recipe = smoke_recipe()
    recipe.write_text(recipe.read_text().replace("size = 32", "size = 40"))

    with pytest.raises(TrainingError, match="first, second does not fit lite0-unet") as caught:
        train(recipe, album, tmp_path / "run")

    assert "32" in caught.value.remedy


def test_an_unknown_architecture_is_told_with_the_known_ones(
    album: Path, smoke_recipe: Make, tmp_path: Path
) -> None:
    recipe = smoke_recipe()
    recipe.write_text(recipe.read_text().replace("[model]", '[model]\narchitecture = "to-come"'))

    with pytest.raises(TrainingError, match="to-come") as caught:
        train(recipe, album, tmp_path / "run")

    assert "seed-unet" in caught.value.remedy


@pytest.mark.parametrize("generator", [SeedChroma(base=4), Lite0Unet()])
def test_held_out_pictures_may_have_any_sides(generator: ChromaGenerator) -> None:
    generator.eval()
    gray = np.random.default_rng(1).random((1, 70, 45), dtype=np.float32)

    chroma = chroma_predictor(generator)(gray)

    assert chroma.shape == (1, 2, 70, 45)
    assert np.isfinite(chroma).all()


def test_an_exported_run_is_a_model_that_the_engine_runs(whole: Run, tmp_path: Path) -> None:
    shutil.copytree(whole.path, tmp_path / "run")
    (tmp_path / "run" / "notes.md").write_text("## Known failures\n\nNone looked for.\n")
    shelf = tmp_path / "shelf"

    card = export_run(tmp_path / "run", "smoke", shelf)

    library = Library((shelf,))
    assert installed_models(library) == (card,) == (model_card("smoke", library),)
    verify_model(card)
    chroma = open_engine(card, device="cpu").predict(np.full((1, 64, 64), 0.5, dtype=np.float32))
    assert np.isfinite(chroma).all()
    page = (shelf / "smoke.md").read_text()
    assert card.weights in page
    assert "| all |" in page
    assert "color is invented" in page
    assert "None looked for." in page
    small = export_run(tmp_path / "run", "small", shelf, storage=Storage.INT8)
    assert small.bytes < 0.6 * card.bytes
    mine = tmp_path / "mine"
    alone = import_model([weights_path(small).read_bytes()], mine, Library((shelf, mine)), name="alone").card
    assert replace(alone, name=small.name, file=small.file) == small


def test_a_run_without_an_end_is_not_exported(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"has no best\.safetensors"):
        export_run(tmp_path, "early", tmp_path / "shelf")

    assert not (tmp_path / "shelf").exists()


def _curve(run: Path) -> list[dict[str, str]]:
    """The lines of the curve, without how fast they were made."""
    paces = {"samples_per_second", "waiting_share", "device_load"}
    with (run / "curve.csv").open(newline="") as lines:
        return [{key: row[key] for key in row.keys() - paces} for row in csv.DictReader(lines)]
