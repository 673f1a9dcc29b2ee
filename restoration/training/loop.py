"""The training loop of chroma generators, from the first batch to the picked checkpoint."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from restoration.generators.models import SHIPPED_ONLY, Library
from restoration.generators.networks.architectures import ChromaGenerator
from restoration.training.chroma_gain import needed_gain
from restoration.training.dataset import Split, load_split
from restoration.training.device import training_device, watch_device
from restoration.training.error_correlation import error_correlation
from restoration.training.metrics import HeldOutPicture, Predict, held_out_pictures, metrics_by_set
from restoration.training.prefetch import batches, fitting_workers
from restoration.training.progress import TrainingProgress, TrainingResult, require_finite
from restoration.training.recipe import Moment, TrainingRecipe, read_recipe
from restoration.training.run_folder import ChromaRunFolder
from restoration.training.samples import sampler_of
from restoration.training.state import TrainingState, new_state, phase_optimizer, resumed_state, save_state
from restoration.training.throughput import Stopwatch, TimeSpent
from restoration.training.training_step import train_on_batch
from restoration.training.weight_averaging import begin_branch, end_branch

# Steps between two lines of the curve; checkpoints fall on them, so that a resumed curve has no gap.
CURVE_STEPS = 50


def train(
    recipe: Path,
    data: Path,
    out: Path,
    *,
    resume: bool = True,
    progress: Callable[[TrainingProgress], None] | None = None,
    library: Library = SHIPPED_ONLY,
) -> TrainingResult:
    """Train after a TOML recipe on the pictures below `data`; everything about the run goes into `out`.

    A run that was stopped, even by kill -9, continues from its last checkpoint. With `resume=False` a folder
    that holds a run is refused. It runs on the CUDA device or, without one, on the CPU. A recipe may start
    from a model of `library`. Raises TrainingError, UnknownModel, NoSpace, OutputUnavailable.
    """
    plan = read_recipe(recipe)
    folder = ChromaRunFolder(out)
    if not resume:
        folder.require_new()
    split = load_split(data, plan.data)
    device = training_device(plan.threads)
    if folder.state.exists():
        state = resumed_state(folder.state, plan, device, library)
    else:
        state = new_state(plan, device, library)
    folder.rewind("step", state.step)
    folder.describe_run(recipe, plan, split)
    validation = held_out_pictures(split.validation, plan.evaluation_side)
    _run(state, plan, split, folder, validation, progress=progress)
    return _finish(state, plan, split, folder, validation)


def _run(
    state: TrainingState,
    plan: TrainingRecipe,
    split: Split,
    folder: ChromaRunFolder,
    validation: tuple[HeldOutPicture, ...],
    *,
    progress: Callable[[TrainingProgress], None] | None,
) -> None:
    phases = [plan.at(step).phase for step in range(state.step, plan.steps)]
    device = next(state.network.parameters()).device
    workers = fitting_workers(device.type) if plan.workers is None else plan.workers
    prefetched = batches(
        sampler_of(split.train, plan), state.step, phases, workers=workers, folder=folder.path
    )
    losses: list[Tensor] = []
    samples = 0
    saved, measured = time.monotonic(), state.step
    with contextlib.closing(prefetched), watch_device(device) as load:
        stopwatch = Stopwatch()
        for batch in stopwatch.waiting_for(prefetched):
            moment = plan.at(state.step)
            if moment.phase.doubt and state.gain is None:
                if measured != state.step:
                    _checkpoint(state, plan, folder, validation)
                _fix_colors(state, plan, folder, validation)
            if moment.phase.branches > 1 and moment.place_in_branch == 0:
                begin_branch(state, moment)
            if moment.place_in_branch == 0 and state.step > 0:
                state.optimizer = phase_optimizer(state.network, moment.phase, plan)
            losses.append(train_on_batch(state, plan, moment, batch, device))
            samples += moment.phase.batch
            state.step += 1
            ended = state.step == plan.steps or moment.ends_branch
            if state.step % CURVE_STEPS and not ended:
                continue
            loss = float(torch.stack(losses).mean())  # waits for the device
            lap = stopwatch.lap(samples)
            losses, samples = [], 0
            require_finite([loss], state.step, folder.path)
            state.spent.add(lap)
            busy = load.since_last()
            folder.add_loss(state.step, moment, loss, lap, busy)
            if progress is not None:
                progress(_progress(plan, state.step, moment, loss=loss, lap=lap, busy=busy))
            if moment.ends_branch:
                end_branch(state, moment)
            if ended or time.monotonic() - saved >= 60.0 * plan.checkpoint_minutes:
                _checkpoint(state, plan, folder, validation)
                saved, measured = time.monotonic(), state.step
                stopwatch.restart()


def _progress(
    plan: TrainingRecipe, step: int, moment: Moment, *, loss: float, lap: TimeSpent, busy: float | None
) -> TrainingProgress:
    """Report progress; the time left is that of the pixels left, at the throughput of the last lap."""
    phase, later = moment.phase, plan.phases[moment.index + 1 :]
    left = (phase.steps - moment.place - 1) * phase.batch * phase.size**2
    left += sum(next_.steps * next_.batch * next_.size**2 for next_ in later)
    return TrainingProgress(
        phase=phase.name,
        step=step,
        steps=plan.steps,
        loss=loss,
        samples_per_second=lap.samples_per_second,
        waiting_share=lap.waiting_share,
        device_load=busy,
        seconds_left=left / (lap.samples_per_second * phase.size**2),
    )


def _checkpoint(
    state: TrainingState,
    plan: TrainingRecipe,
    folder: ChromaRunFolder,
    validation: tuple[HeldOutPicture, ...],
) -> None:
    """Measure the averaged weights on the validation pictures, keep them if they are best, save the state."""
    predict = chroma_predictor(cast(ChromaGenerator, state.average))
    metrics = metrics_by_set(predict, validation)[0]
    correlation = None
    if state.gain is not None:
        correlation = error_correlation(plane_predictor(cast(ChromaGenerator, state.average)), validation)
        if correlation > state.best_error_correlation:
            state.best_error_correlation = correlation
            folder.keep_stretched(state.average)
    elif metrics.score < state.best_score:
        state.best_score, state.best_step = metrics.score, state.step
        folder.keep_best(state.average)
    folder.add_metrics(state.step, metrics, correlation)
    folder.draw_validation(state.step, predict, validation)
    save_state(state, plan, folder.state)


def _fix_colors(
    state: TrainingState,
    plan: TrainingRecipe,
    folder: ChromaRunFolder,
    validation: tuple[HeldOutPicture, ...],
) -> None:
    """Take the best weights so far and stretch their chroma as the recipe asks; the colors are then final."""
    folder.load_learned(state.average)
    generator = cast(ChromaGenerator, state.average)
    state.gain = 1.0
    if plan.colorfulness:
        state.gain = needed_gain(chroma_predictor(generator), validation, plan.colorfulness)
        generator.intensify(state.gain)
        folder.keep_stretched(state.average)
    state.network.load_state_dict(state.average.state_dict())


def _finish(
    state: TrainingState,
    plan: TrainingRecipe,
    split: Split,
    folder: ChromaRunFolder,
    validation: tuple[HeldOutPicture, ...],
) -> TrainingResult:
    if state.gain is None:
        _fix_colors(state, plan, folder, validation)
    folder.load_best(state.average)
    predict = chroma_predictor(cast(ChromaGenerator, state.average))
    found = metrics_by_set(predict, validation)
    test = metrics_by_set(predict, held_out_pictures(split.test, plan.evaluation_side)) if split.test else ()
    folder.write_metrics(state.best_step, state.gain or 1.0, found, test, state.spent)
    return TrainingResult(folder.path, state.step, state.best_step, found, test, state.spent)


def chroma_predictor(network: ChromaGenerator) -> Predict:
    """Make a function gray (N, H, W) -> chroma (N, 2, H, W) of a generator, in full precision.

    Sides of any length are taken: the last row and column are repeated up to the generator's multiple.
    """
    planes = plane_predictor(network)
    return lambda gray: planes(gray)[:, :2]


def plane_predictor(network: ChromaGenerator) -> Predict:
    """Make a function gray (N, H, W) -> all planes (N, C, H, W) of a generator; see `chroma_predictor`."""
    device = next(cast(nn.Module, network).parameters()).device

    @torch.inference_mode()
    def predict(gray: NDArray[np.float32]) -> NDArray[np.float32]:
        height, width = gray.shape[1:]
        extension = (0, -width % network.multiple, 0, -height % network.multiple)
        x = functional.pad(torch.from_numpy(gray)[:, None], extension, mode="replicate")
        # Held-out pictures have many sizes: trying all kernels on each took 40 s where the pictures take 5.
        with torch.backends.cudnn.flags(enabled=True, benchmark=False):
            planes = network(x.to(device, memory_format=torch.channels_last))
        return np.asarray(planes[..., :height, :width].cpu().numpy(), dtype=np.float32)

    return predict
