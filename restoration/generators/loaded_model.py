"""Which models this process holds open: each is loaded once, for many scans."""

import threading
from dataclasses import dataclass

from restoration.generators.engines import Engine, open_engine
from restoration.generators.models import InputSpec, ModelCard

_lock = threading.Lock()
_open: dict[tuple[str, str, str, str], "LoadedModel"] = {}


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """An engine with the facts about its model that the colorizer needs."""

    engine: Engine
    spec: InputSpec
    weights: str
    """sha256 of the weights."""


def load_model(
    card: ModelCard, device: str = "auto", threads: int | None = None, engine: str = "auto"
) -> LoadedModel:
    """Return the model in that engine on that device, opened at the first call and kept.

    The words are those of `restoration.generators.engines.open_engine`; `threads` of the first call hold.
    Raises EngineUnavailable, ModelError, WeightsMismatch or OutOfMemory.
    """
    with _lock:
        key = (card.name, card.weights, engine, device)
        if key not in _open:
            _open[key] = LoadedModel(
                open_engine(card, device, threads, engine), card.input_spec, card.weights
            )
        return _open[key]
