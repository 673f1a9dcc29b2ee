"""Torch engine: runs a generator on the CPU or a CUDA device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from restoration.errors import ModelError, OutOfMemory
from restoration.generators.engines.batching import Batches
from restoration.generators.engines.cuda import RECORDED_SIDE, on_cuda
from restoration.generators.engines.engine import Engine, require_pictures
from restoration.generators.engines.selection import resolve_device
from restoration.generators.models import ModelCard, load_weights
from restoration.generators.networks.architectures import ARCHITECTURES
from restoration.generators.networks.statistics import NormalizedNetwork, freeze_statistics, measure_pooled

# Failed allocations of torch's CPU allocator and of CUDA's libraries: they have no exception class.
_OUT_OF_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)


# Windows of 256 x 256 in a batch on a CUDA device, if they fit. The CPU takes one picture at a time: in a
# batch of four each took 2.4 times as long.
_CUDA_WINDOWS = 32


@dataclass(frozen=True, slots=True)
class TorchEngine:
    """A network in evaluation mode, its model card, and the device that it runs on."""

    card: ModelCard
    network: Callable[[Tensor], Tensor]
    device: torch.device
    precision: torch.dtype = torch.float32
    batches: Batches = field(default_factory=lambda: Batches(0))

    @property
    def name(self) -> str:
        """Engine, device, precision where it is not float32, and model."""
        half = "" if self.precision is torch.float32 else f"-{str(self.precision).removeprefix('torch.')}"
        return f"torch/{self.device.type}{half}/{self.card.name}"

    def predict(self, gray: NDArray[np.float32]) -> NDArray[np.float32]:
        """Network inputs (N, H, W) float32 in [0, 1] -> planes (N, C, H, W) float32; see `Engine`.

        On CUDA in batches as large as fit. Raises ValueError for another shape or type, OutOfMemory.
        """
        require_pictures(gray, self.card.multiple)
        return self.batches.run(self._planes, gray)

    def _planes(self, gray: NDArray[np.float32]) -> NDArray[np.float32]:
        with _memory_reported(self.device), torch.inference_mode(), _deterministic():
            x = torch.from_numpy(np.ascontiguousarray(gray))[:, None]
            x = x.to(self.device, self.precision, memory_format=torch.channels_last)
            return np.ascontiguousarray(self.network(x).float().cpu().numpy())

    def with_statistics(self, pictures: NDArray[np.float32], weights: NDArray[np.float32]) -> TorchEngine:
        """Return the engine with the pooled statistics of pictures; see `InstanceEngine`."""
        if self.card.statistics != "instance":
            raise ValueError(f"the model {self.card.name} does not normalize by instance")
        network = cast(NormalizedNetwork, self.network)
        with _memory_reported(self.device):
            x = torch.from_numpy(np.ascontiguousarray(pictures))[:, None]
            x = x.to(self.device, memory_format=torch.channels_last)
            statistics = measure_pooled(network, x, torch.from_numpy(weights))
            return replace(self, network=freeze_statistics(network, statistics))


def open_torch_engine(card: ModelCard, device: str, threads: int | None) -> Engine:
    """Load the card's network and weights; see `restoration.generators.engines.open_engine`."""
    chosen = torch.device(resolve_device(device))
    if threads is not None:
        torch.set_num_threads(threads)
    if card.architecture not in ARCHITECTURES:
        raise ModelError(
            reason=f"the model {card.name} needs the unknown architecture {card.architecture!r}",
            remedy="install the version of Saek that the model was made for",
        )
    network = ARCHITECTURES[card.architecture].build()
    try:
        network.load_state_dict(load_weights(card))
    except (RuntimeError, ValueError) as error:
        raise ModelError(
            reason=f"the weights of {card.name} do not fit its architecture {card.architecture}: {error}",
            remedy="import the model again (`saek models import`)",
        ) from error
    network.requires_grad_(requires_grad=False).eval()
    with _memory_reported(chosen):
        if chosen.type == "cuda":
            return _on_cuda(card, network, chosen)
        network = network.to(memory_format=torch.channels_last)
    return TorchEngine(card, network, chosen)


def _on_cuda(card: ModelCard, network: nn.Module, device: torch.device) -> TorchEngine:
    batches = Batches(_CUDA_WINDOWS * RECORDED_SIDE**2)
    if card.statistics == "fixed":
        return TorchEngine(card, on_cuda(network, device), device, torch.float16, batches)
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return TorchEngine(card, network, device, batches=batches)


@contextmanager
def _memory_reported(device: torch.device) -> Iterator[None]:
    """Turn a failed allocation, and nothing else, into OutOfMemory."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _out_of_memory(device) from error
    except RuntimeError as error:
        if any(words in str(error) for words in _OUT_OF_MEMORY):
            raise _out_of_memory(device) from error
        raise


def _out_of_memory(device: torch.device) -> OutOfMemory:
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return OutOfMemory(
        reason=f"there is not enough memory for the network on the {device.type} device",
        remedy="stop other programs there, take fewer windows at once, or use another device",
    )


@contextmanager
def _deterministic() -> Iterator[None]:
    """Make CUDA choose the same full-precision convolution every time; the CPU always does."""
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        yield
