"""The tensors of a weights file as numpy arrays, for whoever computes without torch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize

Array = NDArray[np.generic]

SCALE = ".scale"
"""Suffix of the tensor with the scales of an int8 tensor (`restoration.generators.models.torch_weights`)."""

_TYPES: Mapping[str, np.dtype[np.generic]] = {
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),  # its bits; numpy has no such type
    "I8": np.dtype("<i1"),
    "I64": np.dtype("<i8"),
}


def read_arrays(content: bytes) -> dict[str, Array]:
    """Return the state that a safetensors file holds; floats become float32, counters stay as they are.

    The values are to the bit those of `storage.unpacked`. Raises ValueError if it is no safetensors file, a
    tensor is of a type that no weights are stored in, or an int8 tensor comes without a scale for each of its
    channels.
    """
    try:
        stored = dict(deserialize(content))
    except SafetensorError as error:
        raise ValueError(f"it is no whole safetensors file: {error}") from error
    if unknown := sorted({entry["dtype"] for entry in stored.values()} - _TYPES.keys()):
        raise ValueError(f"it holds tensors of the type {unknown[0]}")
    kinds = {name: entry["dtype"] for name, entry in stored.items()}
    raw: dict[str, Array] = {
        name: np.frombuffer(entry["data"], _TYPES[entry["dtype"]]).reshape(entry["shape"])
        for name, entry in stored.items()
    }
    scales = {name for name in raw if name.endswith(SCALE) and name.removesuffix(SCALE) in raw}
    return {
        name: _wide(name, array, kinds[name], raw.get(name + SCALE))
        for name, array in raw.items()
        if name not in scales
    }


def _wide(name: str, array: Array, kind: str, scale: Array | None) -> Array:
    if kind == "I64":
        return array
    if kind == "BF16":
        return (array.astype(np.uint32) << 16).view(np.float32)
    if kind == "I8":
        if array.ndim < 2 or scale is None or scale.shape != array.shape[:1] or scale.dtype.kind != "f":
            raise ValueError(f"the int8 tensor {name} has no scale for each of its channels")
        return array.astype(np.float32) * scale.astype(np.float32).reshape(-1, *(1,) * (array.ndim - 1))
    return array.astype(np.float32)
