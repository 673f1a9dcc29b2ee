"""How a run of the study goes, from its first batch to its last kept generator."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from restoration.study.dataset import Dataset, batch_members, load_dataset, steps_per_epoch
from restoration.study.networks import SeedState, new_seed_state, resumed_seed_state, save_seed_state
from restoration.study.painter import colorizer, part_metrics
from restoration.study.preprocessing import gray_of
from restoration.study.recipe import SeedRecipe
from restoration.study.run_folder import SeedFolder
from restoration.study.training_step import train_networks_on_batch
from restoration.training.device_load import watch_device
from restoration.training.loop import TrainingProgress, TrainingResult
from restoration.training.metrics import SetMetrics
from restoration.training.recipe import TrainingError
from restoration.training.throughput import Stopwatch, TimeSpent

_TOLD_STEPS = 25

Listener = Callable[[TrainingProgress], None]


def train_seed(
    recipe: SeedRecipe,
    data: Path,
    out: Path,
    *,
    resume: bool = True,
    progress: Listener | None = None,
) -> TrainingResult:
    """Train after a recipe of the study on `data`/train; everything about the run goes into `out`.

    A run that was stopped, even by kill -9, goes on at its last state, to the same weights on the CPU. One
    that has more epochs than the recipe asks for stays as it is. Raises TrainingError.
    """
    folder = SeedFolder(out)
    if not resume and folder.state.exists():
        raise TrainingError(
            reason="the folder holds a run", remedy="choose another folder, or resume", path=out
        )
    album = load_dataset(data)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if recipe.threads is not None:
        torch.set_num_threads(recipe.threads)
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
    pace = steps_per_epoch(len(album.train), recipe.batch)
    folder.require_pictures(album)
    if folder.state.exists():
        state = resumed_seed_state(folder.state, recipe, device)
        folder.rewind(state.step // pace)
    else:
        state = new_seed_state(recipe, device)
    if state.step < recipe.epochs * pace:
        folder.begin(recipe, album)
    row = _run(state, recipe, album, folder, progress)
    if row is None:
        row = part_metrics(colorizer(state.generator, recipe.preprocessing), album.test)
        folder.write_metrics(state.step // pace, state.step, state.spent, row)
    return TrainingResult(out, state.step, state.step, (), (row,), state.spent)


def _run(
    state: SeedState, recipe: SeedRecipe, album: Dataset, folder: SeedFolder, progress: Listener | None
) -> SetMetrics | None:
    """Learn what is missing; return the figures of the last generator, if one was kept."""
    device = state.losses.device
    pace = steps_per_epoch(len(album.train), recipe.batch)
    saved = time.monotonic()
    row, samples, epoch_lap = None, 0, TimeSpent()
    with watch_device(device) as load:
        stopwatch = Stopwatch()
        for gray, true in stopwatch.waiting_for(_batches(state.step, recipe, album)):
            state.losses += train_networks_on_batch(state, recipe, gray.to(device), true.to(device))
            state.step += 1
            samples += len(gray)
            ended = state.step % pace == 0
            due = time.monotonic() - saved >= 60.0 * recipe.state_minutes
            if not (ended or due or state.step % _TOLD_STEPS == 0):
                continue
            losses = (state.losses / ((state.step - 1) % pace + 1)).tolist()  # waits for the device
            lap, samples = stopwatch.lap(samples), 0
            state.spent.add(lap)
            epoch_lap.add(lap)
            _require_numbers(losses, state.step, folder)
            if progress is not None:
                progress(_told(recipe, state.step, pace, losses, lap, device_load=load.since_last()))
            if ended:
                epoch = state.step // pace
                due = epoch % recipe.checkpoint_epochs == 0 or epoch == recipe.epochs
                row = _keep(state, recipe, album, folder, epoch) if due else None
                if row is not None:
                    folder.write_metrics(epoch, state.step, state.spent, row)
                folder.add_epoch(epoch, state.step, losses, epoch_lap, row)
                state.losses.zero_()
                epoch_lap = TimeSpent()
            if due:
                save_seed_state(state, recipe, folder.state)
                saved = time.monotonic()
            stopwatch.restart()
    return row


def _batches(first: int, recipe: SeedRecipe, album: Dataset) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield normalized gray and color (N, 3, 256, 256) of each batch from the step `first` on."""
    pictures = len(album.train)
    for step in range(first, recipe.epochs * steps_per_epoch(pictures, recipe.batch)):
        rgb = album.train.rgb[batch_members(pictures, recipe.batch, recipe.seed, step)]
        yield recipe.preprocessing.condition(gray_of(rgb)), recipe.preprocessing.target(rgb)


def _keep(state: SeedState, recipe: SeedRecipe, album: Dataset, folder: SeedFolder, epoch: int) -> SetMetrics:
    folder.keep(state.generator, epoch)
    paint = colorizer(state.generator, recipe.preprocessing)
    folder.draw_sheet(epoch, paint, album.test)
    return part_metrics(paint, album.test)


def _require_numbers(losses: Sequence[float], step: int, folder: SeedFolder) -> None:
    if not np.isfinite(losses).all():
        raise TrainingError(
            reason=f"a loss is no number after step {step}",
            remedy="lower the learning rate",
            path=folder.path,
        )


def _told(
    recipe: SeedRecipe,
    step: int,
    pace: int,
    losses: Sequence[float],
    lap: TimeSpent,
    *,
    device_load: float | None,
) -> TrainingProgress:
    adversarial, l1, _ = losses
    steps = recipe.epochs * pace
    return TrainingProgress(
        phase=f"epoch {(step - 1) // pace + 1}",
        step=step,
        steps=steps,
        loss=adversarial + recipe.l1_weight * l1,
        samples_per_second=lap.samples_per_second,
        waiting_share=lap.waiting_share,
        device_load=device_load,
        seconds_left=(steps - step) * recipe.batch / lap.samples_per_second,
    )
