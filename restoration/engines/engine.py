"""What every engine promises."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


class Engine(Protocol):
    """A generator, loaded and ready to compute.

    `name` tells engine, device and model for the record. The same input gives the same bytes every time.
    """

    @property
    def name(self) -> str:
        """Engine, device and model, such as "torch/cpu/archive-1"."""
        ...

    def predict(self, gray: NDArray[np.float32]) -> NDArray[np.float32]:
        """Gray pictures (N, H, W) float32 in [0, 1] -> BT.601 Cb and Cr (N, 2, H, W) float32 in [-0.5, 0.5].

        H and W are multiples of the model card's `multiple`, or it is a ValueError. Raises OutOfMemory.
        """
        ...


@runtime_checkable
class InstanceEngine(Engine, Protocol):
    """An engine that can run a generator that normalizes by instance with statistics measured before."""

    def with_statistics(self, pictures: NDArray[np.float32], weights: NDArray[np.float32]) -> Engine:
        """Return the engine with the pooled normalization statistics of pictures as its constants.

        `pictures` (N, H, W) float32 in [0, 1], sides multiples of the card's `multiple`; `weights` (N,), not
        negative. `restoration.pix2pix.statistics.measure` says how they are pooled, layer by layer, and what
        their floor is. Raises ValueError if the generator does not normalize by instance, OutOfMemory.
        """
        ...
