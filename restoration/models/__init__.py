"""The models that come with Saek: cards, weights, and the means to verify them."""

from restoration.models.registry import (
    ModelCard,
    default_model,
    load_weights,
    model_card,
    models,
    verify_model,
    weights_path,
)

__all__ = [
    "ModelCard",
    "default_model",
    "load_weights",
    "model_card",
    "models",
    "verify_model",
    "weights_path",
]
