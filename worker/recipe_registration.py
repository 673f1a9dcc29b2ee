"""Registration of a recipe and its model in the record.

This is separate from `worker.recipes` so that a command without a record loads no database code.
"""

import json

from sqlalchemy.orm import Session

from db.catalog import ensure_recipe
from restoration import Library, Recipe, model_card


def record_recipe(s: Session, recipe: Recipe, library: Library) -> int:
    """Register a recipe and its model if they are new; return the id of the recipe."""
    return ensure_recipe(
        s,
        recipe.fingerprint(),
        json.loads(recipe.to_json()),
        model_name=recipe.model,
        weights_sha256=recipe.weights,
        card=model_card(recipe.model, library).entries(),
    )
