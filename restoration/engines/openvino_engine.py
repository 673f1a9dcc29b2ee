"""A generator run by OpenVINO on the CPU, without torch."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino import CompiledModel, InferRequest
from openvino import properties as ov
from openvino.properties import hint

from restoration.engines.engine import Engine, require_pictures
from restoration.engines.graphs import GRAPHS, graph_of
from restoration.errors import ModelError, OutOfMemory
from restoration.models import ModelCard, load_arrays

# How OpenVINO says that it got no memory: all that it raises is RuntimeError. A primitive that another thread
# failed to make is a broken promise.
_OUT_OF_MEMORY = ("bad_alloc", "Failed to allocate", "can't alloc", "Broken promise")


class OpenVinoEngine:
    """A compiled network and the card it was loaded from; threads take turns."""

    def __init__(self, card: ModelCard, threads: int | None) -> None:
        self.card = card
        self._threads = threads
        self._turn = threading.Lock()
        self._request: InferRequest | None = _request(card, threads)

    @property
    def name(self) -> str:
        """Engine, device and model."""
        return f"openvino/cpu/{self.card.name}"

    def predict(self, gray: NDArray[np.float32]) -> NDArray[np.float32]:
        """Gray pictures (N, H, W) float32 in [0, 1] -> planes (N, C, H, W) float32.

        One picture is computed after the other: on a CPU a batch gains nothing, and so the bytes of a
        picture cannot depend on those beside it. Raises ValueError for another shape or type, OutOfMemory.
        """
        require_pictures(gray, self.card.multiple)
        with self._turn, _memory_reported():
            # After a failed allocation the old one is of no use any more, even when there is memory again.
            request, self._request = self._request or _request(self.card, self._threads), None
            planes = [_inferred(request, np.ascontiguousarray(picture)) for picture in gray]
            self._request = request
        return np.stack(planes)


def open_openvino_engine(card: ModelCard, threads: int | None = None) -> Engine:
    """Build and compile the card's network; see `restoration.engines.open_engine`."""
    if card.architecture not in GRAPHS:
        raise ModelError(
            reason=f"the model {card.name} needs the unknown architecture {card.architecture!r}",
            remedy="install the version of Saek that the model was made for",
        )
    with _memory_reported():
        return OpenVinoEngine(card, threads)


def _inferred(request: InferRequest, picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Run the network on a picture (H, W) and return its planes (C, H, W), which are the caller's."""
    # Not `infer`: on one thread that returns without a word, and the planes of the picture before, when an
    # allocation fails; `wait` raises.
    request.start_async([picture[None, None]], share_inputs=True)
    request.wait()
    planes: NDArray[np.float32] = request.get_output_tensor(0).data[0]
    if planes.shape[1:] != picture.shape:
        raise RuntimeError(f"a picture of {picture.shape} gave planes of {planes.shape}")
    return planes.copy()


def _request(card: ModelCard, threads: int | None) -> InferRequest:
    return _compiled(card, threads).create_infer_request()


def _compiled(card: ModelCard, threads: int | None) -> CompiledModel:
    try:
        graph = graph_of(card.architecture, load_arrays(card))
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
    }
    if threads is not None:
        options[ov.inference_num_threads] = threads
    return openvino.Core().compile_model(graph, "CPU", options)


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
