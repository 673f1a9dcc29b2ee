"""A killed training resumes, and its model colors a scan."""

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file
from skimage import data

from restoration import Compute, Input, Output, recipe_for, restore
from restoration.generators.models import Library
from restoration.training import TrainingProgress, export_run, train
from restoration.training import loop as training_loop

Make = Callable[..., Path]
Start = Callable[[Path, Path], subprocess.Popen[bytes]]

PROGRAM = """
import sys
from pathlib import Path
from restoration.training import loop

if __name__ == "__main__":
    loop.CURVE_STEPS = 2
    loop.train(*map(Path, sys.argv[1:]))
"""


@pytest.fixture
def started(tmp_path: Path, album: Path) -> Iterator[Start]:
    """Start a training in a process of its own."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    processes: list[subprocess.Popen[bytes]] = []

    def start(recipe: Path, run: Path) -> subprocess.Popen[bytes]:
        processes.append(subprocess.Popen([sys.executable, program, recipe, album, run]))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.wait()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_killed_run_resumes_and_its_model_colors_a_scan(
    started: Start, album: Path, smoke_recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = smoke_recipe(first=8, second=4)
    monkeypatch.setattr(training_loop, "CURVE_STEPS", 2)
    train(recipe, album, tmp_path / "whole")
    recipe.write_text(recipe.read_text().replace("threads = 1", "threads = 1\nworkers = 1"))

    killed = started(recipe, tmp_path / "killed")
    _until((tmp_path / "killed" / "state.pt").exists)
    children = _children(killed.pid)
    killed.kill()
    assert killed.wait() == -signal.SIGKILL
    assert children
    _until(lambda: not any(_lives(child) for child in children))
    done = len(_losses(tmp_path / "killed"))
    assert started(recipe, tmp_path / "killed").wait() == 0

    assert done < 3
    assert _losses(tmp_path / "killed") == _losses(tmp_path / "whole")
    first, second = (load_file(tmp_path / run / "best.safetensors") for run in ("killed", "whole"))
    assert all(np.array_equal(first[name].numpy(), second[name].numpy()) for name in first)
    assert not list((tmp_path / "killed").glob(".*"))

    card = export_run(tmp_path / "killed", "smoke", tmp_path / "shelf")
    library = Library((tmp_path / "shelf",))
    Image.fromarray(data.camera()[:200, :160]).save(tmp_path / "scan.png")
    colored = restore(
        Input(tmp_path / "scan.png"),
        recipe_for("smoke", library=library),
        Output(tmp_path / "colored.tif"),
        Compute(library=library),
    )

    assert colored.weights == card.weights
    with Image.open(tmp_path / "colored.tif") as picture:
        assert picture.mode == "RGB"
        assert np.array_equal(np.asarray(picture.convert("L")), data.camera()[:200, :160])


def test_a_run_killed_before_a_checkpoint_restarts_its_curve(
    album: Path, smoke_recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_loop, "CURVE_STEPS", 2)
    recipe = smoke_recipe(first=4, second=4)
    recipe.write_text(recipe.read_text().replace("checkpoint_minutes = 0.0", "checkpoint_minutes = 60.0"))

    def killed(report: TrainingProgress) -> None:
        raise KeyboardInterrupt(report)

    with pytest.raises(KeyboardInterrupt):
        train(recipe, album, tmp_path / "run", progress=killed)
    train(recipe, album, tmp_path / "run")

    assert [step for step, _ in _losses(tmp_path / "run")] == ["2", "4"]


def _losses(run: Path) -> list[tuple[str, str]]:
    if not (run / "curve.csv").is_file():
        return []
    with (run / "curve.csv").open(newline="") as lines:
        return [(row["step"], row["loss"]) for row in csv.DictReader(lines) if row["loss"]]


def _children(process: int) -> list[int]:
    tasks = Path(f"/proc/{process}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False


def _until(reached: Callable[[], bool]) -> None:
    for _ in range(1200):
        if reached():
            return
        time.sleep(0.1)
    raise AssertionError("it never came to that")
