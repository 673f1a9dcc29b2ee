"""How a recipe and its model enter the record.

Apart from `worker.recipes`, so that a command that keeps no record loads no database.
"""

import json

from sqlalchemy.orm import Session

from db.catalog import ensure_recipe
from restoration import Library, Recipe, model_card


def record_recipe(s: Session, recipe: Recipe, library: Library) -> int:
    """Enter the recipe and its model unless they are known; return the recipe's id."""
    return ensure_recipe(
        s,
        recipe.fingerprint(),
        json.loads(recipe.to_json()),
        model_name=recipe.model,
        weights_sha256=recipe.weights,
        card=model_card(recipe.model, library).entries(),
    )
