"""Which models this process holds open: each is loaded once, for many scans."""

import threading
from dataclasses import dataclass

from restoration.engines import Engine, open_engine
from restoration.models import ModelCard
from restoration.passes import Sizes

_lock = threading.Lock()
_open: dict[tuple[str, str, str], "LoadedModel"] = {}


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """An engine with the facts about its model that the colorizer needs."""

    engine: Engine
    sizes: Sizes
    weights: str
    """sha256 of the weights."""


def load_model(card: ModelCard, device: str = "auto", threads: int | None = None) -> LoadedModel:
    """Return the model on that device, opened at the first call and kept; `threads` bounds the whole process.

    Raises EngineUnavailable, WeightsMismatch or OutOfMemory.
    """
    with _lock:
        key = (card.name, card.weights, device)
        if key not in _open:
            sizes = Sizes(card.working_side, card.multiple, card.statistics)
            _open[key] = LoadedModel(open_engine(card, device, threads), sizes, card.weights)
        return _open[key]
