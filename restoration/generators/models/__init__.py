"""Models, shipped or imported: their cards and weights, and the registry that finds them."""

from restoration.generators.models.card import SHIPPED, InputSpec, ModelCard, card_toml
from restoration.generators.models.registry import (
    SHIPPED_ONLY,
    Library,
    card_paths,
    default_model,
    hidden_cards,
    installed_models,
    model_card,
)
from restoration.generators.models.weights import (
    Storage,
    load_arrays,
    load_weights,
    page_path,
    verify_model,
    weights_path,
)

__all__ = [
    "SHIPPED",
    "SHIPPED_ONLY",
    "InputSpec",
    "Library",
    "ModelCard",
    "Storage",
    "card_paths",
    "card_toml",
    "default_model",
    "hidden_cards",
    "installed_models",
    "load_arrays",
    "load_weights",
    "model_card",
    "page_path",
    "verify_model",
    "weights_path",
]
