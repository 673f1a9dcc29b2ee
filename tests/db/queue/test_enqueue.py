"""Creating jobs."""

import pytest

from db.errors import UnknownRecipe, UnknownScan
from db.queue.enqueue import enqueue
from db.vocabulary import Lane


def test_the_same_scan_and_recipe_are_one_job(archive):
    scan_id, recipe = archive.drop(job=False).scan_id, archive.recipe()
    with archive.database.begin() as s:
        first, created = enqueue(s, scan_id, recipe, Lane.BULK, "kim", now=archive.now)
        again, created_again = enqueue(s, scan_id, recipe, Lane.INTERACTIVE, "lee", now=archive.now)
    assert (created, created_again) == (True, False)
    assert first == again
    assert archive.happened(job_id=first) == ["job queued"]


def test_another_recipe_is_another_job(archive):
    first = archive.drop()
    other = archive.recipe(0.5)
    with archive.database.begin() as s:
        assert enqueue(s, first.scan_id, other, Lane.BULK, "kim", now=archive.now)[1]


def test_a_job_needs_a_scan_and_a_recipe_that_are_on_record(archive):
    scan_id, recipe = archive.drop(job=False).scan_id, archive.recipe()
    with pytest.raises(UnknownScan, match="99"), archive.database.begin() as s:
        enqueue(s, 99, recipe, Lane.BULK, "kim")
    with pytest.raises(UnknownRecipe, match="99"), archive.database.begin() as s:
        enqueue(s, scan_id, 99, Lane.BULK, "kim")
