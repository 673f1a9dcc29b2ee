"""How torch runs a generator with the normalization statistics of a picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from restoration.generators.models import ModelCard
from restoration.generators.networks.statistics import NormalizedNetwork, freeze_statistics, measure_pooled


def steadied(
    card: ModelCard,
    network: Callable[[Tensor], Tensor],
    device: torch.device,
    pictures: NDArray[np.float32],
    weights: NDArray[np.float32],
) -> Callable[[Tensor], Tensor]:
    """Return the network with the pooled statistics of pictures (N, H, W), weighted by `weights` (N,).

    Raises ValueError if the card's generator does not normalize by instance, or the weights do not fit.
    """
    if card.statistics != "instance":
        raise ValueError(f"the model {card.name} does not normalize by instance")
    normalized = cast(NormalizedNetwork, network)
    x = torch.from_numpy(np.ascontiguousarray(pictures))[:, None]
    x = x.to(device, memory_format=torch.channels_last)
    return freeze_statistics(normalized, measure_pooled(normalized, x, torch.from_numpy(weights)))
