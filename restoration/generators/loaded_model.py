"""Loaded models of this process: each is opened once, for many scans."""

import threading
from dataclasses import dataclass

from restoration.generators.engines import Engine, open_engine
from restoration.generators.models import InputSpec, ModelCard

_lock = threading.Lock()
_open: dict[tuple[str, str, str, str], "LoadedModel"] = {}


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """An engine, and the facts about its model that colorization needs."""

    engine: Engine
    spec: InputSpec
    weights: str
    """sha256 of the weights file, lowercase hex."""


def load_model(
    card: ModelCard, device: str = "auto", threads: int | None = None, engine: str = "auto"
) -> LoadedModel:
    """Return the model in an engine on a device, opened by the first call and kept.

    Arguments are those of `restoration.generators.engines.open_engine`; later `threads` have no effect.
    Raises EngineUnavailable, ModelError, WeightsMismatch or OutOfMemory.
    """
    with _lock:
        key = (card.name, card.weights, engine, device)
        if key not in _open:
            _open[key] = LoadedModel(
                open_engine(card, device, threads, engine), card.input_spec, card.weights
            )
        return _open[key]
