"""Prefetching of batches by a thread or by several processes.

The processes share one copy of the decoded pictures, a memory-mapped file. Which of them draws a batch makes
no difference to the batch.
"""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from pathlib import Path

import numpy as np

from restoration.training.dataset import Picture
from restoration.training.recipe import Phase, TrainingError
from restoration.training.samples import Batch, Sampler

PIXELS = ".pixels"
"""Name of the memory-mapped file in the run's folder while it is in use."""


@dataclass(frozen=True, slots=True)
class StoredPicture:
    """Position of a picture in the memory-mapped file."""

    name: str
    set: str
    shape: tuple[int, ...]
    offset: int


def fitting_workers(device: str) -> int:
    """Return the number of processes that should draw samples for "cpu" or "cuda"; 0 is a thread.

    On a CPU, drawing is a tenth of the work, which a thread does. A CUDA device takes all that the cores can
    draw, except one core that feeds the device.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores - 1) if device == "cuda" else 0


def batches(
    sampler: Sampler, first: int, phases: Sequence[Phase], *, workers: int = 0, folder: Path | None = None
) -> Generator[Batch]:
    """Yield batch `first`, `first + 1`, ..., one for each of `phases`.

    A few are drawn ahead, by one thread or by `workers` processes, which map the pictures from a file in
    `folder`. Raises TrainingError if a process dies.
    """
    with _executor(sampler, workers, folder) as pool:
        draw = _draw if workers else sampler.batch
        requests = enumerate(phases, start=first)
        pending = deque(
            pool.submit(draw, *request) for request in itertools.islice(requests, 1 + 2 * workers)
        )
        try:
            while pending:
                batch = pending.popleft().result()
                pending.extend(pool.submit(draw, *request) for request in itertools.islice(requests, 1))
                yield batch
        except BrokenProcessPool as error:
            raise TrainingError(
                reason="a process that drew samples died, most likely for lack of memory",
                remedy="set fewer `workers` in the recipe, or keep the pictures smaller ([data] side)",
            ) from error


@contextlib.contextmanager
def _executor(sampler: Sampler, workers: int, folder: Path | None) -> Iterator[Executor]:
    if not workers:
        with _shut_down(ThreadPoolExecutor(1)) as pool:
            yield pool
        return
    if folder is None:
        raise ValueError("processes need a folder for the pixels that they share")
    path = folder / PIXELS
    # Read by numpy when a worker starts: as many processes as cores must not have as many threads each.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        placed = _written(sampler.pictures, path)
        pool = ProcessPoolExecutor(
            workers,
            # A CUDA context and torch's threads do not survive a fork.
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(replace(sampler, pictures=()), path, placed),
        )
        with _shut_down(pool):
            yield pool
    finally:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _shut_down(pool: Executor) -> Iterator[Executor]:
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _written(pictures: Sequence[Picture], path: Path) -> tuple[StoredPicture, ...]:
    """Write the bytes of the pictures one after the other."""
    placed: list[StoredPicture] = []
    offset = 0
    try:
        with path.open("wb") as file:
            for picture in pictures:
                file.write(picture.rgb.tobytes())
                placed.append(StoredPicture(picture.name, picture.set, picture.rgb.shape, offset))
                offset += picture.rgb.nbytes
    except OSError as error:
        raise TrainingError(
            reason=f"the decoded pictures ({offset / 1e9:.1f} GB so far) cannot be written: {error.strerror}",
            remedy="free space on the disk of the run, or set `workers = 0` in the recipe",
            path=path,
        ) from error
    return tuple(placed)


def _mapped(placed: Sequence[StoredPicture], path: Path) -> tuple[Picture, ...]:
    """The pictures of `_written`, in memory that all processes share."""
    pixels = np.asarray(np.memmap(path, dtype=np.uint8, mode="r"))
    return tuple(
        Picture(one.name, one.set, pixels[one.offset :][: int(np.prod(one.shape))].reshape(one.shape))
        for one in placed
    )


# The sampler of a worker process, set once before its first batch.
_worker_sampler: list[Sampler] = []


def _begin(sampler: Sampler, path: Path, placed: Sequence[StoredPicture]) -> None:
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches the whole process group; the parent ends this one
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _worker_sampler.append(replace(sampler, pictures=_mapped(placed, path)))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _draw(number: int, phase: Phase) -> Batch:
    return _worker_sampler[0].batch(number, phase)
