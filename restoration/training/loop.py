"""How a generator is trained, from the first batch to the picked checkpoint."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from restoration.generators.models import SHIPPED_ONLY, Library
from restoration.generators.networks.architectures import ChromaGenerator
from restoration.training.checkpoint import (
    TrainingState,
    new_state,
    phase_optimizer,
    resumed_state,
    save_state,
)
from restoration.training.chroma_gain import needed_gain
from restoration.training.dataset import Split, load_split
from restoration.training.device_load import watch_device
from restoration.training.error_correlation import error_correlation
from restoration.training.metrics import (
    HeldOutPicture,
    Predict,
    SetMetrics,
    held_out_pictures,
    metrics_by_set,
)
from restoration.training.prefetch import batches, fitting_workers
from restoration.training.recipe import Moment, TrainingError, TrainingRecipe, read_recipe
from restoration.training.run_folder import RunFolder
from restoration.training.samples import sampler_of
from restoration.training.throughput import Stopwatch, TimeSpent
from restoration.training.training_step import train_on_batch
from restoration.training.weight_averaging import begin_branch, end_branch

# Steps between two lines of the curve; checkpoints fall on them, so that a resumed curve has no break.
CURVE_STEPS = 50


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """What a listener is told every few seconds."""

    phase: str
    step: int
    steps: int
    loss: float
    samples_per_second: float
    waiting_share: float
    """Share of the time since the last report in which there was no sample to learn from."""
    device_load: float | None
    """Share of that time in which the CUDA device computed; None on a CPU, or if its driver does not tell."""
    seconds_left: float


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """How a run ended: the step whose weights were picked, and their figures on held-out pictures."""

    run: Path
    steps: int
    best_step: int
    validation: tuple[SetMetrics, ...]
    test: tuple[SetMetrics, ...]
    spent: TimeSpent


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

    A run that was stopped, even by kill -9, goes on at its last checkpoint. With `resume=False` a folder
    that holds a run is refused. On the CPU or, where there is one, on the CUDA device. A recipe may
    start from a model of `library`. Raises TrainingError, UnknownModel.
    """
    plan = read_recipe(recipe)
    folder = RunFolder(out)
    if not resume and folder.state.exists():
        raise TrainingError(
            reason="the folder holds a run", remedy="choose another folder, or resume", path=out
        )
    split = load_split(data, plan.data)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_num_threads(plan.threads)
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
    if folder.state.exists():
        state = resumed_state(folder.state, plan, device, library)
    else:
        state = new_state(plan, device, library)
    folder.rewind(state.step)
    folder.begin(recipe, plan, split)
    against = held_out_pictures(split.validation, plan.evaluation_side)
    _run(state, plan, split, folder, against, progress=progress)
    return _finish(state, plan, split, folder, against)


def _run(
    state: TrainingState,
    plan: TrainingRecipe,
    split: Split,
    folder: RunFolder,
    against: tuple[HeldOutPicture, ...],
    *,
    progress: Callable[[TrainingProgress], None] | None,
) -> None:
    phases = [plan.at(step).phase for step in range(state.step, plan.steps)]
    device = next(state.network.parameters()).device
    workers = fitting_workers(device.type) if plan.workers is None else plan.workers
    supply = batches(sampler_of(split.train, plan), state.step, phases, workers=workers, folder=folder.path)
    losses: list[Tensor] = []
    samples = 0
    saved, measured = time.monotonic(), state.step
    with contextlib.closing(supply), watch_device(device) as load:
        stopwatch = Stopwatch()
        for batch in stopwatch.waiting_for(supply):
            moment = plan.at(state.step)
            if moment.phase.doubt and state.gain is None:
                if measured != state.step:
                    _checkpoint(state, plan, folder, against)
                _settle(state, plan, folder, against)
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
            loss = float(torch.stack(losses).mean())
            lap = stopwatch.lap(samples)
            losses, samples = [], 0
            if not np.isfinite(loss):
                raise TrainingError(
                    reason=f"the loss is no number after step {state.step}",
                    remedy="lower the learning rate",
                    path=folder.path,
                )
            state.spent.add(lap)
            busy = load.since_last()
            folder.add_loss(state.step, moment, loss, lap, busy)
            if progress is not None:
                progress(_told(plan, state.step, moment, loss=loss, lap=lap, busy=busy))
            if moment.ends_branch:
                end_branch(state, moment)
            if ended or time.monotonic() - saved >= 60.0 * plan.checkpoint_minutes:
                _checkpoint(state, plan, folder, against)
                saved, measured = time.monotonic(), state.step
                stopwatch.restart()


def _told(
    plan: TrainingRecipe, step: int, moment: Moment, *, loss: float, lap: TimeSpent, busy: float | None
) -> TrainingProgress:
    """Tell a listener; the time left is that of the pixels left, at the pace of the last ones."""
    phase, later = moment.phase, plan.phases[moment.index + 1 :]
    left = (phase.steps - moment.place - 1) * phase.batch * phase.size**2
    left += sum(next_.steps * next_.batch * next_.size**2 for next_ in later)
    seconds = left / (lap.samples_per_second * phase.size**2)
    return TrainingProgress(
        phase=phase.name,
        step=step,
        steps=plan.steps,
        loss=loss,
        samples_per_second=lap.samples_per_second,
        waiting_share=lap.waiting_share,
        device_load=busy,
        seconds_left=seconds,
    )


def _checkpoint(
    state: TrainingState, plan: TrainingRecipe, folder: RunFolder, against: tuple[HeldOutPicture, ...]
) -> None:
    """Measure the averaged weights on validation pictures, keep them if they are best, save the state."""
    predict = chroma_predictor(cast(ChromaGenerator, state.average))
    rows = metrics_by_set(predict, against)
    doubt = None
    if state.gain is not None:
        doubt = error_correlation(plane_predictor(cast(ChromaGenerator, state.average)), against)
        if doubt > state.best_doubt:
            state.best_doubt = doubt
            folder.keep_stretched(state.average)
    elif rows[0].score < state.best_score:
        state.best_score, state.best_step = rows[0].score, state.step
        folder.keep_best(state.average)
    folder.add_figures(state.step, rows[0], doubt)
    folder.draw_sheet(state.step, predict, against)
    save_state(state, plan, folder.state)


def _settle(
    state: TrainingState, plan: TrainingRecipe, folder: RunFolder, against: tuple[HeldOutPicture, ...]
) -> None:
    """Take the best colors so far, stretched as the recipe asks: from here on they stay."""
    folder.load_learned(state.average)
    generator = cast(ChromaGenerator, state.average)
    state.gain = 1.0
    if plan.colorfulness:
        state.gain = needed_gain(chroma_predictor(generator), against, plan.colorfulness)
        generator.intensify(state.gain)
        folder.keep_stretched(state.average)
    state.network.load_state_dict(state.average.state_dict())


def _finish(
    state: TrainingState,
    plan: TrainingRecipe,
    split: Split,
    folder: RunFolder,
    against: tuple[HeldOutPicture, ...],
) -> TrainingResult:
    if state.gain is None:
        _settle(state, plan, folder, against)
    folder.load(state.average)
    predict = chroma_predictor(cast(ChromaGenerator, state.average))
    validation = metrics_by_set(predict, against)
    test = metrics_by_set(predict, held_out_pictures(split.test, plan.evaluation_side)) if split.test else ()
    folder.write_metrics(state.best_step, state.gain or 1.0, validation, test, state.spent)
    return TrainingResult(folder.path, state.step, state.best_step, validation, test, state.spent)


def chroma_predictor(network: ChromaGenerator) -> Predict:
    """Make a function gray (N, H, W) -> chroma (N, 2, H, W) of a generator, in full precision.

    Sides may be of any length: the last row and column are repeated up to what the generator takes.
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
        # Held-out pictures have many sizes: to try all kernels on each took 40 s where the pictures take 5.
        with torch.backends.cudnn.flags(enabled=True, benchmark=False):
            planes = network(x.to(device, memory_format=torch.channels_last))
        return np.asarray(planes[..., :height, :width].cpu().numpy(), dtype=np.float32)

    return predict
