"""Recipes and models on record."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.core.clock import current_time
from db.core.schema import Job, Model, Recipe
from db.core.upsert import insert_or_ignore
from db.errors import RecipeConflict, UnknownRecipe
from db.vocabulary import JobState


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
    """Return the id of a recipe; enter it and its model if they are new.

    `body` and `card` are JSON objects. A card may be reworded later; the first one on record stays. Raises
    `RecipeConflict` if the fingerprint is on record with another body.
    """
    recipe = s.execute(select(Recipe.id, Recipe.body).where(Recipe.fingerprint == fingerprint)).one_or_none()
    if recipe is None:
        facts = {
            "fingerprint": fingerprint,
            "body": dict(body),
            "model_id": _ensure_model(s, model_name, weights_sha256, card),
            "created_at": now or current_time(s),
        }
        new = insert_or_ignore(s, Recipe, facts, ("fingerprint",))
        if new is not None:
            return new
        recipe = s.execute(select(Recipe.id, Recipe.body).where(Recipe.fingerprint == fingerprint)).one()
    if recipe.body != dict(body):
        raise RecipeConflict(
            reason=f"the fingerprint {fingerprint[:12]} is on record for another recipe",
            remedy="raise the recipe's algorithm version, which the fingerprint takes in",
        )
    return int(recipe.id)


def recipe_body(s: Session, recipe_id: int) -> dict[str, Any]:
    """Return the body of a recipe. Raises `UnknownRecipe`."""
    body: dict[str, Any] | None = s.scalar(select(Recipe.body).where(Recipe.id == recipe_id))
    if body is None:
        raise UnknownRecipe(
            reason=f"there is no recipe {recipe_id}", remedy="list the recipes with `saek status --json`"
        )
    return body


def unfinished_jobs(s: Session, model_name: str) -> int:
    """Return how many queued or running jobs use a model of this name."""
    return s.execute(
        select(func.count(Job.id))
        .join(Recipe, Recipe.id == Job.recipe_id)
        .join(Model, Model.id == Recipe.model_id)
        .where(Model.name == model_name, Job.state.in_((JobState.QUEUED, JobState.RUNNING)))
    ).scalar_one()


def _ensure_model(s: Session, name: str, weights_sha256: str, card: Mapping[str, Any]) -> int:
    known = select(Model.id).where(Model.name == name, Model.weights_sha256 == weights_sha256)
    found = s.scalar(known)
    if found is None:
        facts = {"name": name, "weights_sha256": weights_sha256, "card": dict(card)}
        found = insert_or_ignore(s, Model, facts, ("name", "weights_sha256"))
    return found if found is not None else s.scalars(known).one()
