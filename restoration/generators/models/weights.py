"""Verified loading of the weights of a model."""

from __future__ import annotations

import hashlib
import hmac
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from restoration.errors import WeightsMismatch
from restoration.generators.models.card import REINSTALL, ModelCard

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


class Storage(StrEnum):
    """Type in which kernels and matrices are stored."""

    FP32 = "fp32"
    FP16 = "fp16"
    BF16 = "bf16"
    INT8 = "int8"


def weights_path(card: ModelCard) -> Path:
    """Return the path of the weights of a model."""
    return card.folder / card.file


def page_path(card: ModelCard) -> Path:
    """Return the path of the model's page for readers, which may not exist."""
    return card.folder / f"{card.name}.md"


def verify_model(card: ModelCard) -> None:
    """Compare the sha256 of the weights file with the card.

    Raises WeightsMismatch if the file is missing, cannot be read or differs.
    """
    _weights_bytes(card)


def load_weights(card: ModelCard) -> dict[str, Tensor]:
    """Return the verified weights as the state dict of the card's architecture; floats become float32.

    The bytes that are verified are the bytes that are loaded. Raises WeightsMismatch.
    """
    from safetensors.torch import load  # noqa: PLC0415  (torch takes seconds)

    from restoration.generators.models.torch_weights import unpack_weights  # noqa: PLC0415

    return unpack_weights(load(_weights_bytes(card)))


def load_arrays(card: ModelCard) -> dict[str, NDArray[np.generic]]:
    """Return the same as `load_weights`, as numpy arrays and without torch.

    Raises WeightsMismatch, ValueError if the file holds no weights.
    """
    from restoration.generators.models.numpy_weights import read_arrays  # noqa: PLC0415  (a list of models needs no numpy)

    return read_arrays(_weights_bytes(card))


def _weights_bytes(card: ModelCard) -> bytes:
    path = weights_path(card)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WeightsMismatch(
            reason=f"the weights cannot be read: {error.strerror}", remedy=REINSTALL, path=path
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if not hmac.compare_digest(found, card.weights):
        raise WeightsMismatch(
            reason=f"the weights have sha256 {found}, but their card says {card.weights}",
            remedy=REINSTALL,
            path=path,
        )
    return content
