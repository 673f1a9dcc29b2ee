"""OpenVINO engine: runs a generator on the CPU, without torch."""

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

# Failed allocations of OpenVINO, which raises nothing but RuntimeError. "Broken promise" is a primitive that
# another thread failed to create.
_OUT_OF_MEMORY = ("bad_alloc", "Failed to allocate", "can't alloc", "Broken promise")


_KEPT = 1 << 18
"""Maximum number of pixels of an input whose memory is kept for the next one: most inputs are smaller."""

_KERNELS = "200"
"""Capacity of the kernel cache, enough for some three input sizes. OpenVINO's default is 5,000, and each new
size adds 4 MB; compiling them again takes no measurable time."""


class _Network:
    """A compiled graph; threads take turns."""

    def __init__(self, opened: Callable[[], InferRequest]) -> None:
        self._opened = opened
        self._turn = threading.Lock()
        with _memory_reported():
            self._request: InferRequest | None = opened()

    def run(self, *given: Floats) -> list[Floats]:
        """Return copies of the outputs of the graph for its inputs. Raises OutOfMemory."""
        with self._turn, _memory_reported():
            # After a failed allocation a request stays broken, even when there is memory again.
            request, self._request = self._request or self._opened(), None
            # Not `infer`: with one thread it returns silently, with the previous output, when an allocation
            # fails; `wait` raises.
            request.start_async(list(given), share_inputs=True)
            request.wait()
            made = [tensor.data.copy() for tensor in request.output_tensors]
            if given[0].size > _KEPT:
                request.get_compiled_model().release_memory()
            self._request = request
        return made


@dataclass(frozen=True, slots=True)
class OpenVinoEngine:
    """A compiled network, its model card, and its variants for shared statistics, compiled on demand."""

    card: ModelCard
    network: _Network
    open_statistics: Callable[[], _Network]
    """Open the network that measures pooled statistics."""
    open_frozen: Callable[[], _Network]
    """Open the network that takes its statistics as inputs."""
    statistics: tuple[Floats, ...] = ()
    """Inputs of a network with frozen statistics: factor and summand of each layer."""

    @property
    def name(self) -> str:
        """Engine, device and model."""
        return f"openvino/cpu/{self.card.name}"

    def predict(self, gray: Floats) -> Floats:
        """Network inputs (N, H, W) float32 in [0, 1] -> planes (N, C, H, W) float32; see `Engine`.

        One input after the other: on a CPU a batch is no faster, and so the result of an input cannot depend
        on the others. Raises ValueError for another shape or type, OutOfMemory.
        """
        require_pictures(gray, self.card.multiple)
        return np.concatenate([self._planes(picture) for picture in gray])

    def _planes(self, picture: Floats) -> Floats:
        (planes,) = self.network.run(np.ascontiguousarray(picture)[None, None], *self.statistics)
        if planes.shape[2:] != picture.shape:
            raise RuntimeError(f"an input of {picture.shape} gave planes of {planes.shape}")
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
        statistics = self.open_statistics().run(np.ascontiguousarray(pictures)[:, None], shares)
        return replace(self, network=self.open_frozen(), statistics=tuple(statistics))


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
            remedy="import the model again (`saek models import`)",
        ) from error
    options = {
        # The default on CPUs that support it is bfloat16, whose error is visible.
        hint.inference_precision: openvino.Type.f32,
        hint.execution_mode: hint.ExecutionMode.ACCURACY,
        # One input at a time on all threads. Not pinned to cores: other processes are busy there, too.
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
        reason="there is not enough memory for the network",
        remedy="stop other programs, or run fewer worker processes (SAEK_CONCURRENCY)",
    )
