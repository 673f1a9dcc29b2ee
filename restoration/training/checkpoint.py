"""Checkpoint files: the state of a run and of torch's random generators, saved by torch without pickled code.

Only tensors, numbers, strings and containers are stored, so that a checkpoint is read with `weights_only`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from restoration.atomic_write import draft_name, replacing
from restoration.training.recipe import TrainingError


def write_checkpoint(path: Path, content: Mapping[str, Any]) -> None:
    """Replace the checkpoint atomically; `content` needs the key "recipe", the recipe's fingerprint.

    Raises NoSpace, OutputUnavailable.
    """
    generators = {"random": torch.get_rng_state(), "random_cuda": torch.cuda.get_rng_state_all()}
    with replacing(path, draft_name(path)) as draft:
        torch.save({**content, **generators}, draft)


def read_checkpoint(path: Path, device: torch.device | str) -> dict[str, Any]:
    """Read a checkpoint, its tensors on `device`."""
    return cast(dict[str, Any], torch.load(path, map_location=device, weights_only=True))


def require_recipe(content: Mapping[str, Any], fingerprint: str, path: Path, remedy: str) -> None:
    """Raise TrainingError if the checkpoint at `path` was written with another recipe."""
    if content["recipe"] != fingerprint:
        raise TrainingError(reason="the run was started with another recipe", remedy=remedy, path=path.parent)


def restore_random_state(content: Mapping[str, Any], device: torch.device) -> None:
    """Set torch's random generators to the state that a checkpoint holds."""
    torch.set_rng_state(cast(Tensor, content["random"]).cpu())
    if device.type == "cuda" and len(content["random_cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([one.cpu() for one in content["random_cuda"]])
