"""What can keep models from being measured."""

from restoration.training.recipe import TrainingError


class EvaluationError(TrainingError):
    """Nothing can be measured: the pictures, the model's folder or the report's folder are at fault."""

    code = "evaluation-error"
