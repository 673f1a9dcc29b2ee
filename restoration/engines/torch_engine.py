"""A generator run by torch, on the CPU or a CUDA device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from restoration.engines.device import resolve_device
from restoration.engines.engine import Engine
from restoration.engines.torch_statistics import steadied
from restoration.errors import ModelError, OutOfMemory
from restoration.models import ModelCard, load_weights
from restoration.pix2pix.chroma import ARCHITECTURES

# How torch's CPU allocator and CUDA's libraries say that they got no memory: they have no exception class.
_OUT_OF_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)


@dataclass(frozen=True, slots=True)
class TorchEngine:
    """A network in evaluation mode and the card it was loaded from."""

    card: ModelCard
    network: Callable[[Tensor], Tensor]
    device: torch.device

    @property
    def name(self) -> str:
        """Engine, device and model."""
        return f"torch/{self.device.type}/{self.card.name}"

    def predict(self, gray: NDArray[np.float32]) -> NDArray[np.float32]:
        """Gray pictures (N, H, W) float32 in [0, 1] -> chroma (N, 2, H, W) float32 in [-0.5, 0.5].

        Raises ValueError for another shape or type, OutOfMemory.
        """
        multiple = self.card.multiple
        if gray.ndim != 3 or gray.dtype != np.float32:
            raise ValueError(f"gray must be float32 (N, H, W), not {gray.dtype} {gray.shape}")
        if min(gray.shape) == 0 or gray.shape[1] % multiple or gray.shape[2] % multiple:
            raise ValueError(f"the sides of {gray.shape} must be multiples of {multiple}")
        with _memory_reported(self.device), torch.inference_mode(), _deterministic():
            x = torch.from_numpy(np.ascontiguousarray(gray))[:, None]
            x = x.to(self.device, memory_format=torch.channels_last)
            return np.ascontiguousarray(self.network(x).float().cpu().numpy())

    def with_statistics(self, pictures: NDArray[np.float32], weights: NDArray[np.float32]) -> TorchEngine:
        """Return the engine with the pooled statistics of pictures; see `InstanceEngine`."""
        with _memory_reported(self.device):
            return replace(self, network=steadied(self.card, self.network, self.device, pictures, weights))


def open_torch_engine(card: ModelCard, device: str, threads: int | None) -> Engine:
    """Load the card's network and weights; see `restoration.engines.open_engine`."""
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
            remedy="import the model again (saek models import)",
        ) from error
    network.requires_grad_(requires_grad=False).eval()
    with _memory_reported(chosen):
        network = network.to(chosen, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return TorchEngine(card, network, chosen)


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
        reason=f"the network got no memory on the {device.type} device",
        remedy="stop other programs there, take fewer windows at once, or use another device",
    )


@contextmanager
def _deterministic() -> Iterator[None]:
    """Choose the same full-precision convolution every time on CUDA; the CPU needs no such thing."""
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        yield
