"""The training loop of the study's networks, from the first batch to the last kept generator."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from torch import Tensor

from restoration.study.colorizer import colorizer, part_metrics
from restoration.study.dataset import Dataset, batch_members, load_dataset, steps_per_epoch
from restoration.study.networks import SeedState, new_seed_state, resumed_seed_state, save_seed_state
from restoration.study.preprocessing import gray_of
from restoration.study.recipe import SeedRecipe
from restoration.study.run_folder import SeedRunFolder
from restoration.study.training_step import train_networks_on_batch
from restoration.training.device import training_device, watch_device
from restoration.training.metrics import SetMetrics
from restoration.training.progress import TrainingProgress, TrainingResult, require_finite
from restoration.training.run_folder import write_weights
from restoration.training.throughput import Stopwatch, TimeSpent

_REPORT_STEPS = 25

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

    A run that was stopped, even by kill -9, continues from its last checkpoint; on a CPU it ends with the
    same weights. One that has more epochs than the recipe asks for stays unchanged. Raises TrainingError,
    NoSpace or OutputUnavailable.
    """
    folder = SeedRunFolder(out)
    if not resume:
        folder.require_new()
    dataset = load_dataset(data)
    device = training_device(recipe.threads)
    epoch_steps = steps_per_epoch(len(dataset.train), recipe.batch)
    folder.require_pictures(dataset)
    if folder.state.exists():
        state = resumed_seed_state(folder.state, recipe, device)
        folder.rewind("epoch", state.step // epoch_steps)
    else:
        state = new_seed_state(recipe, device)
    if state.step < recipe.epochs * epoch_steps:
        folder.describe_run(recipe, dataset)
    metrics = _run(state, recipe, dataset, folder, progress)
    if metrics is None:
        metrics = part_metrics(colorizer(state.generator, recipe.preprocessing), dataset.test)
        folder.write_metrics(state.step // epoch_steps, state.step, state.spent, metrics)
    return TrainingResult(out, state.step, state.step, (), (metrics,), state.spent)


def _run(
    state: SeedState, recipe: SeedRecipe, dataset: Dataset, folder: SeedRunFolder, progress: Listener | None
) -> SetMetrics | None:
    """Train what is missing; return the metrics of the last generator, if one was kept."""
    device = state.losses.device
    epoch_steps = steps_per_epoch(len(dataset.train), recipe.batch)
    saved = time.monotonic()
    metrics, samples, epoch_lap = None, 0, TimeSpent()
    with watch_device(device) as load:
        stopwatch = Stopwatch()
        for gray, true in stopwatch.waiting_for(_batches(state.step, recipe, dataset)):
            state.losses += train_networks_on_batch(state, recipe, gray.to(device), true.to(device))
            state.step += 1
            samples += len(gray)
            ended = state.step % epoch_steps == 0
            due = time.monotonic() - saved >= 60.0 * recipe.state_minutes
            if not (ended or due or state.step % _REPORT_STEPS == 0):
                continue
            losses = (state.losses / ((state.step - 1) % epoch_steps + 1)).tolist()  # waits for the device
            lap, samples = stopwatch.lap(samples), 0
            state.spent.add(lap)
            epoch_lap.add(lap)
            require_finite(losses, state.step, folder.path)
            if progress is not None:
                progress(
                    _progress(recipe, state.step, epoch_steps, losses, lap, device_load=load.since_last())
                )
            if ended:
                epoch = state.step // epoch_steps
                due = epoch % recipe.checkpoint_epochs == 0 or epoch == recipe.epochs
                metrics = _keep(state, recipe, dataset, folder, epoch) if due else None
                if metrics is not None:
                    folder.write_metrics(epoch, state.step, state.spent, metrics)
                folder.add_epoch(epoch, state.step, losses, epoch_lap, metrics)
                state.losses.zero_()
                epoch_lap = TimeSpent()
            if due:
                save_seed_state(state, recipe, folder.state)
                saved = time.monotonic()
            stopwatch.restart()
    return metrics


def _batches(first: int, recipe: SeedRecipe, dataset: Dataset) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield normalized gray and color (N, 3, 256, 256) of each batch from the step `first` on."""
    pictures = len(dataset.train)
    for step in range(first, recipe.epochs * steps_per_epoch(pictures, recipe.batch)):
        rgb = dataset.train.rgb[batch_members(pictures, recipe.batch, recipe.seed, step)]
        yield recipe.preprocessing.condition(gray_of(rgb)), recipe.preprocessing.target(rgb)


def _keep(
    state: SeedState, recipe: SeedRecipe, dataset: Dataset, folder: SeedRunFolder, epoch: int
) -> SetMetrics:
    write_weights(folder.weights(epoch), state.generator)
    colorize = colorizer(state.generator, recipe.preprocessing)
    folder.draw_test(epoch, colorize, dataset.test)
    return part_metrics(colorize, dataset.test)


def _progress(
    recipe: SeedRecipe,
    step: int,
    epoch_steps: int,
    losses: Sequence[float],
    lap: TimeSpent,
    *,
    device_load: float | None,
) -> TrainingProgress:
    adversarial, l1, _ = losses
    steps = recipe.epochs * epoch_steps
    return TrainingProgress(
        phase=f"epoch {(step - 1) // epoch_steps + 1}",
        step=step,
        steps=steps,
        loss=adversarial + recipe.l1_weight * l1,
        samples_per_second=lap.samples_per_second,
        waiting_share=lap.waiting_share,
        device_load=device_load,
        seconds_left=(steps - step) * recipe.batch / lap.samples_per_second,
    )
