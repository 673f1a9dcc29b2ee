"""Recipes and models."""

import pytest

from db.catalog.recipes import ensure_recipe, recipe_body, unfinished_jobs
from db.core.schema import Model, Recipe
from db.errors import RecipeConflict, UnknownRecipe
from db.queue.jobs import finish


def test_a_recipe_is_entered_once_with_its_model(archive):
    assert archive.recipe(1.0) == archive.recipe(1.0)
    assert archive.recipe(0.5) != archive.recipe(1.0)
    assert (archive.count(Recipe), archive.count(Model)) == (2, 1)


def test_a_recipe_comes_back_as_it_was_entered(archive):
    recipe = archive.recipe(0.5)
    with archive.database.read() as s:
        assert recipe_body(s, recipe) == {"strength": 0.5}


def test_an_unknown_recipe_is_an_error(archive):
    with archive.database.read() as s, pytest.raises(UnknownRecipe, match="42"):
        recipe_body(s, 42)


def test_one_fingerprint_cannot_stand_for_two_recipes(archive):
    archive.recipe(1.0)
    with pytest.raises(RecipeConflict, match="algorithm version"), archive.database.begin() as s:
        ensure_recipe(
            s,
            f"{100:064x}",
            {"strength": 2.0},
            model_name="archive-1",
            weights_sha256="e" * 64,
            card={},
        )


def test_jobs_that_are_not_finished_are_counted_by_their_model(archive):
    archive.drop("queued.tif", "a")
    archive.work_on("running.tif", "b")
    done = archive.work_on("done.tif", "c")
    with archive.database.begin() as s:
        finish(s, done, archive.derivative())
    with archive.database.read() as s:
        assert unfinished_jobs(s, "archive-1") == 2
        assert unfinished_jobs(s, "other") == 0
