"""Prefetching: the same batches from threads and processes."""

import multiprocessing
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from skimage import data

from restoration.training.dataset import Picture
from restoration.training.prefetch import PIXELS, batches, fitting_workers
from restoration.training.recipe import DataPlan, ModelPlan, Phase, TrainingError, TrainingRecipe
from restoration.training.samples import Batch, Sampler, sampler_of

TINY = Phase("tiny", samples=2, batch=2, size=32)


@pytest.fixture(scope="module")
def drawn() -> Sampler:
    pictures = (
        Picture("a", "people", data.astronaut()[::4, ::4]),
        Picture("b", "table", data.coffee()[::4, ::4]),
    )
    subject = ModelPlan("seed-unet", statistics="picture")
    return sampler_of(pictures, TrainingRecipe("tiny", (TINY,), seed=9, data=DataPlan(), model=subject))


def same(first: Batch, second: Batch) -> bool:
    return all(
        np.array_equal(*pair)
        for pair in ((first.gray, second.gray), (first.chroma, second.chroma), (first.wholes, second.wholes))
    )


def test_a_resumed_run_gets_the_same_batches(drawn: Sampler) -> None:
    whole = list(batches(drawn, 0, [TINY] * 6))

    resumed = list(batches(drawn, 3, [TINY] * 3))

    assert len(whole) == 6
    assert all(same(*pair) for pair in zip(whole[3:], resumed, strict=True))


@pytest.mark.parametrize("workers", [1, 2])
def test_processes_draw_what_a_thread_draws_and_leave_nothing(
    drawn: Sampler, tmp_path: Path, workers: int
) -> None:
    alone = list(batches(drawn, 2, [TINY] * 5))

    shared = list(batches(drawn, 2, [TINY] * 5, workers=workers, folder=tmp_path))

    assert len(shared) == 5
    assert all(same(*pair) for pair in zip(alone, shared, strict=True))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("workers", [0, 1])
def test_a_stream_that_is_left_early_ends_quietly(drawn: Sampler, tmp_path: Path, workers: int) -> None:
    stream = batches(drawn, 0, [TINY] * 500, workers=workers, folder=tmp_path)
    next(stream)

    stream.close()

    assert list(stream) == []
    assert list(tmp_path.iterdir()) == []


def test_the_death_of_a_process_is_reported(drawn: Sampler, tmp_path: Path) -> None:
    stream = batches(drawn, 0, [TINY] * 5000, workers=1, folder=tmp_path)
    next(stream)
    (worker,) = multiprocessing.active_children()

    os.kill(worker.pid or 0, signal.SIGKILL)

    with pytest.raises(TrainingError, match="a process that drew samples died"):
        for _ in stream:
            pass
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_reported(drawn: Sampler, tmp_path: Path) -> None:
    (tmp_path / PIXELS).symlink_to("/dev/full")

    with pytest.raises(TrainingError, match="No space left on device"):
        next(batches(drawn, 0, [TINY], workers=1, folder=tmp_path))


def test_cuda_takes_all_cores_but_one_and_a_cpu_a_thread() -> None:
    cores = len(os.sched_getaffinity(0))

    assert fitting_workers("cpu") == 0
    assert fitting_workers("cuda") == max(1, cores - 1)
