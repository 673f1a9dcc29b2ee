"""Training of generators: dataset, film simulation, training loop, metrics and model export."""

from restoration.training.loop import train
from restoration.training.metrics import SetMetrics
from restoration.training.model_export import export_run
from restoration.training.progress import TrainingProgress, TrainingResult
from restoration.training.recipe import TrainingError, shipped_recipe

__all__ = [
    "SetMetrics",
    "TrainingError",
    "TrainingProgress",
    "TrainingResult",
    "export_run",
    "shipped_recipe",
    "train",
]
