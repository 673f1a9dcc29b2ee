"""Whether the weights of a model are the ones on its card, and how they are read."""

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
    """Tell where the weights of a model lie."""
    return card.folder / card.file


def page_path(card: ModelCard) -> Path:
    """Tell where the page for people lies, if the model came with one."""
    return card.folder / f"{card.name}.md"


def verify_model(card: ModelCard) -> None:
    """Compare the weights file with its card.

    Raises WeightsMismatch if it is missing, cannot be read or is another file.
    """
    _weights_bytes(card)


def load_weights(card: ModelCard) -> dict[str, Tensor]:
    """Read the weights, verified, as the state dict of the card's architecture; floats become float32.

    The bytes that were verified are the bytes that are loaded. Raises WeightsMismatch.
    """
    from safetensors.torch import load  # noqa: PLC0415  (torch takes seconds)

    from restoration.generators.models.torch_weights import unpack_weights  # noqa: PLC0415

    return unpack_weights(load(_weights_bytes(card)))


def load_arrays(card: ModelCard) -> dict[str, NDArray[np.generic]]:
    """Read what `load_weights` reads, as numpy arrays and without torch.

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
