"""Weights as numpy arrays, read without torch."""

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
    """Return the state dict of a safetensors file; floats become float32, counters are unchanged.

    The values equal those of `torch_weights.unpack_weights` bit for bit. Raises ValueError if the file is not
    safetensors, a tensor has a type that weights are never stored in, or an int8 tensor has no scale for each
    of its channels.
    """
    try:
        stored = dict(deserialize(content))
    except SafetensorError as error:
        raise ValueError(f"it is not a complete safetensors file: {error}") from error
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
