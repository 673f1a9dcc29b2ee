"""Which recipes and models the record has met."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session


def ensure_recipe(
    s: Session,
    fingerprint: str,
    body: Mapping[str, Any],
    *,
    model_name: str,
    weights_sha256: str,
    card: Mapping[str, Any],
    now: dt.datetime | None = None,
) -> int:
    """Return the id of the recipe, entering it and its model if new."""
    raise NotImplementedError


def recipe_body(s: Session, recipe_id: int) -> dict[str, Any]:
    """Return the recipe as it was entered. Raises `UnknownRecipe`."""
    raise NotImplementedError
