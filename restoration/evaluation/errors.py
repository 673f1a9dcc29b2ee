"""Errors of evaluation."""

from restoration.training.recipe import TrainingError


class EvaluationError(TrainingError):
    """Evaluation is impossible because of the pictures, the model's folder or the report's folder."""

    code = "evaluation-error"
