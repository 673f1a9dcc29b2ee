"""From color pictures to weights: data, film simulation, the loop, its figures, and the exported model."""

from restoration.training.loop import TrainingProgress, TrainingResult, train
from restoration.training.model_export import export
from restoration.training.recipe import TrainingError, shipped_recipe

__all__ = ["TrainingError", "TrainingProgress", "TrainingResult", "export", "shipped_recipe", "train"]
