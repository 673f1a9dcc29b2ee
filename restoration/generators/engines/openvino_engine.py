"""A generator run by OpenVINO on the CPU, without torch."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino import InferRequest, Model
from openvino import properties as ov
from openvino.properties import hint

from restoration.errors import ModelError, OutOfMemory
from restoration.generators.engines.engine import Engine, require_pictures
from restoration.generators.engines.graphs import GRAPHS, frozen_graph, graph_of, statistics_graph
from restoration.generators.models import ModelCard, load_arrays

Floats = NDArray[np.float32]

# How OpenVINO says that it got no memory: all that it raises is RuntimeError. A primitive that another thread
# failed to make is a broken promise.
_OUT_OF_MEMORY = ("bad_alloc", "Failed to allocate", "can't alloc", "Broken promise")


_KEPT = 1 << 18
"""Pixels of the largest picture, as most are, whose memory is kept for the next."""

_KERNELS = "200"
"""Kernels kept for sizes seen before, some three sizes' worth. OpenVINO would keep 5,000 of them, of which
each new size of picture adds 4 MB; making them anew costs less than can be measured."""


class _Network:
    """A compiled graph; threads take turns."""

    def __init__(self, opened: Callable[[], InferRequest]) -> None:
        self._opened = opened
        self._turn = threading.Lock()
        with _memory_reported():
            self._request: InferRequest | None = opened()

    def run(self, *given: Floats) -> list[Floats]:
        """Return what the graph makes of its inputs; it is the caller's. Raises OutOfMemory."""
        with self._turn, _memory_reported():
            # After a failed allocation a request is of no use any more, even when there is memory again.
            request, self._request = self._request or self._opened(), None
            # Not `infer`: on one thread that returns without a word, and with what it gave the time before,
            # when an allocation fails; `wait` raises.
            request.start_async(list(given), share_inputs=True)
            request.wait()
            made = [tensor.data.copy() for tensor in request.output_tensors]
            if given[0].size > _KEPT:
                request.get_compiled_model().release_memory()
            self._request = request
        return made


@dataclass(frozen=True, slots=True)
class OpenVinoEngine:
    """A network, the card it was loaded from, and how the networks are opened that normalize as told."""

    card: ModelCard
    network: _Network
    measuring: Callable[[], _Network]
    steady: Callable[[], _Network]
    statistics: tuple[Floats, ...] = ()
    """What the network normalizes by, if it is told."""

    @property
    def name(self) -> str:
        """Engine, device and model."""
        return f"openvino/cpu/{self.card.name}"

    def predict(self, gray: Floats) -> Floats:
        """Gray pictures (N, H, W) float32 in [0, 1] -> planes (N, C, H, W) float32.

        One picture is computed after the other: on a CPU a batch gains nothing, and so the bytes of a
        picture cannot depend on those beside it. Raises ValueError for another shape or type, OutOfMemory.
        """
        require_pictures(gray, self.card.multiple)
        return np.concatenate([self._planes(picture) for picture in gray])

    def _planes(self, picture: Floats) -> Floats:
        (planes,) = self.network.run(np.ascontiguousarray(picture)[None, None], *self.statistics)
        if planes.shape[2:] != picture.shape:
            raise RuntimeError(f"a picture of {picture.shape} gave planes of {planes.shape}")
        return planes

    def with_statistics(self, pictures: Floats, weights: Floats) -> OpenVinoEngine:
        """Return the engine with the pooled normalization statistics of pictures as its constants.

        `pictures` (N, H, W) as for `predict`, `weights` (N,), not negative, of any sum. They are pooled as by
        `restoration.generators.networks.statistics.measure_pooled`. Raises ValueError if the generator does
        not normalize by instance or the weights do not fit, OutOfMemory.
        """
        if self.card.statistics != "instance":
            raise ValueError(f"the model {self.card.name} does not normalize by instance")
        require_pictures(pictures, self.card.multiple)
        if weights.shape != pictures.shape[:1] or weights.min() < 0 or not weights.sum() > 0:
            raise ValueError(f"{len(pictures)} pictures need as many weights, not negative and not all 0")
        shares = np.asarray(weights / weights.sum(), np.float32)[:, None, None, None]
        found = self.measuring().run(np.ascontiguousarray(pictures)[:, None], shares)
        return replace(self, network=self.steady(), statistics=tuple(found))


def open_openvino_engine(card: ModelCard, threads: int | None = None) -> Engine:
    """Build and compile the card's network; see `restoration.generators.engines.open_engine`."""
    if card.architecture not in GRAPHS:
        raise ModelError(
            reason=f"the model {card.name} needs the unknown architecture {card.architecture!r}",
            remedy="install the version of Saek that the model was made for",
        )

    def opener(build: Callable[[str, Any], Model]) -> Callable[[], _Network]:
        return functools.cache(lambda: _Network(lambda: _request(card, build, threads)))

    return OpenVinoEngine(card, opener(graph_of)(), opener(statistics_graph), opener(frozen_graph))


def _request(card: ModelCard, build: Callable[[str, Any], Model], threads: int | None) -> InferRequest:
    try:
        graph = build(card.architecture, load_arrays(card))
    except ValueError as error:
        raise ModelError(
            reason=f"the weights of {card.name} do not fit its architecture {card.architecture}: {error}",
            remedy="import the model again (saek models import)",
        ) from error
    options = {
        # Left alone, a CPU that can would take bfloat16, which is off by more than the eye lets pass.
        hint.inference_precision: openvino.Type.f32,
        hint.execution_mode: hint.ExecutionMode.ACCURACY,
        # One picture at a time on all threads. Not bound to cores: other processes are busy there, too.
        hint.performance_mode: hint.PerformanceMode.LATENCY,
        hint.num_requests: 1,
        ov.num_streams: 1,
        hint.enable_cpu_pinning: False,
        "CPU_RUNTIME_CACHE_CAPACITY": _KERNELS,
    }
    if threads is not None:
        options[ov.inference_num_threads] = threads
    return openvino.Core().compile_model(graph, "CPU", options).create_infer_request()


@contextmanager
def _memory_reported() -> Iterator[None]:
    """Turn a failed allocation, and nothing else, into OutOfMemory."""
    try:
        yield
    except MemoryError as error:
        raise _out_of_memory() from error
    except RuntimeError as error:
        if any(words in str(error) for words in _OUT_OF_MEMORY):
            raise _out_of_memory() from error
        raise


def _out_of_memory() -> OutOfMemory:
    return OutOfMemory(
        reason="the network got no main memory",
        remedy="end other programs, or run fewer worker processes (SAEK_CONCURRENCY)",
    )
