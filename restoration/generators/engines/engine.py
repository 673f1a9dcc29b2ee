"""The interface of engines."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


class Engine(Protocol):
    """A generator, loaded and ready to run: the same input gives the same bytes every time."""

    @property
    def name(self) -> str:
        """Engine, device (with its precision unless float32) and model, for the record.

        Such as "openvino/cpu/archive-2" or "torch/cuda-float16/archive-2".
        """
        ...

    def predict(self, gray: NDArray[np.float32]) -> NDArray[np.float32]:
        """Network inputs (N, H, W) float32 in [0, 1] -> planes (N, C, H, W) float32.

        The first two planes are BT.601 Cb and Cr in [-0.5, 0.5], the third, if any, the predicted error. N is
        any number: an engine splits it into batches that are fast and fit. Raises ValueError unless H and W
        are multiples of the model card's `multiple`, OutOfMemory if not even one input fits.
        """
        ...


@runtime_checkable
class InstanceEngine(Engine, Protocol):
    """An engine that can freeze the statistics of a generator that normalizes by instance."""

    def with_statistics(self, pictures: NDArray[np.float32], weights: NDArray[np.float32]) -> Engine:
        """Return the engine with the pooled normalization statistics of pictures as its constants.

        `pictures` (N, H, W) float32 in [0, 1], sides multiples of the card's `multiple`; `weights` (N,), not
        negative. They are pooled layer by layer, with a floor of the variance, as
        `restoration.generators.networks.statistics.measure_pooled` documents. Raises ValueError if the
        generator does not normalize by instance, OutOfMemory.
        """
        ...


def require_pictures(gray: NDArray[np.float32], multiple: int) -> None:
    """Raise ValueError unless `gray` is float32 (N, H, W) with sides that are multiples of `multiple`."""
    if gray.ndim != 3 or gray.dtype != np.float32:
        raise ValueError(f"gray must be float32 (N, H, W), not {gray.dtype} {gray.shape}")
    if min(gray.shape) == 0 or gray.shape[1] % multiple or gray.shape[2] % multiple:
        raise ValueError(f"the sides of {gray.shape} must be multiples of {multiple}")
