"""Evaluation of several models on the same pictures."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from restoration.evaluation.document import as_json, evaluation_document
from restoration.evaluation.errors import EvaluationError
from restoration.evaluation.evaluated_models import EvaluatedModel
from restoration.evaluation.measuring import Evaluation, evaluate_models
from restoration.evaluation.options import EvaluationOptions
from restoration.evaluation.pictures import Half

SubjectMaker = Callable[..., EvaluatedModel]
TERMS = EvaluationOptions(half=Half.ALL, side=64, blotch_threshold=0.3)


@pytest.fixture(scope="module")
def evaluation(gallery: Path, subject: SubjectMaker) -> Evaluation:
    """Two models on the gallery."""
    return evaluate_models([subject(), subject("nothing", 0.0, 0.0)], gallery, TERMS)


def test_every_group_has_gray_models_and_truth(evaluation: Evaluation) -> None:
    for group in evaluation.groups:
        assert [name for name, _ in group.renderings()] == ["gray", "sepia", "nothing", "truth"]
        assert group.gray.chroma_ratio == 1
        assert (group.truth.chroma_ratio, group.truth.colorfulness_ratio) == (0, 1)


def test_a_model_that_paints_nothing_is_gray(evaluation: Evaluation) -> None:
    every = evaluation.groups[0]

    assert every.models["nothing"] == every.gray
    assert every.models["sepia"] != every.gray
    assert every.models["sepia"].figures.colorfulness > 5


def test_pictures_without_color_are_named(evaluation: Evaluation) -> None:
    assert evaluation.colorless == ("eval/places/gray.png",)
    assert len(evaluation.pictures) == 4
    assert [group.name for group in evaluation.groups] == ["all", "historical", "documerica", "places"]


def test_confidence_is_compared_with_the_error(evaluation: Evaluation) -> None:
    reliability = evaluation.reliabilities["sepia"]

    assert reliability.correlation is not None
    assert -1 <= reliability.correlation <= 1
    assert len(reliability.tenths) == 10
    assert reliability.pixels == 1632


def test_the_document_is_complete_and_reproducible(
    evaluation: Evaluation, gallery: Path, subject: SubjectMaker
) -> None:
    again = evaluate_models([subject(), subject("nothing", 0.0, 0.0)], gallery, TERMS)

    text = as_json(evaluation_document(evaluation))

    assert text == as_json(evaluation_document(again))
    told = json.loads(text)
    assert told["terms"] == {"half": "all", "held_out": True, "preset": "fast", "side": 64, "strength": 1.0}
    assert [model["name"] for model in told["models"]] == ["sepia", "nothing"]
    assert told["groups"][0]["models"]["nothing"]["chroma_ratio"] == 1
    assert told["groups"][0]["gray"]["frechet"] is None
    assert len(told["pictures"]) == 4
    assert told["scans"] is None
    assert str(gallery) not in text


def test_strength_is_laid_on(evaluation: Evaluation, gallery: Path, subject: SubjectMaker) -> None:
    weak = evaluate_models([subject()], gallery, replace(TERMS, strength=0.5, confidence=False))

    point = next(
        point
        for point in evaluation.strength_curves["sepia"]
        if (point.group, point.strength) == ("all", 0.5)
    )
    assert weak.groups[0].models["sepia"].chroma_ratio == pytest.approx(point.chroma_ratio)
    assert weak.groups[0].models["sepia"].colorfulness_ratio == pytest.approx(point.colorfulness_ratio)
    assert weak.reliabilities == {}


def test_blotches_need_training_pictures_or_a_threshold(
    album: Path, subject: SubjectMaker, tmp_path: Path
) -> None:
    Image.fromarray(data.coffee()[:128, :128]).save(tmp_path / "coffee.png")
    terms = EvaluationOptions(side=64, confidence=False)

    unknown = evaluate_models([subject()], tmp_path, terms)
    known = evaluate_models([subject()], tmp_path, replace(terms, blotch_threshold=0.2))

    assert unknown.thresholds is None
    assert unknown.groups[0].truth.figures.blotches is None
    assert known.groups[0].truth.figures.blotches is not None
    with pytest.raises(EvaluationError, match="--blotch-threshold"):
        evaluate_models([subject()], tmp_path, terms, scans=album)


def test_scans_are_listed_before_the_work_begins(
    gallery: Path, subject: SubjectMaker, tmp_path: Path
) -> None:
    told: list[str] = []

    with pytest.raises(EvaluationError, match="no scans"):
        evaluate_models(
            [subject()], gallery, TERMS, scans=tmp_path, progress=lambda what, *_: told.append(what)
        )

    assert told == []


def test_progress_goes_over_all_pictures(gallery: Path, subject: SubjectMaker) -> None:
    told: list[tuple[str, int, int]] = []

    evaluate_models([subject()], gallery, EvaluationOptions(side=32), progress=lambda *one: told.append(one))

    assert told[0] == ("training pictures", 0, 4)
    assert [done for what, done, _ in told if what == "pictures"] == [0, 1, 2]


@pytest.mark.parametrize(
    ("facts", "word"),
    [({"side": 8}, "side"), ({"strength": 3.0}, "strength"), ({"blotch_threshold": 2.0}, "blotch")],
)
def test_options_out_of_range_are_refused(facts: dict[str, float], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        EvaluationOptions(**facts)


def test_a_gray_gallery_is_refused(subject: SubjectMaker, tmp_path: Path) -> None:
    Image.fromarray(np.repeat(data.camera()[::4, ::4, None], 3, axis=2)).save(tmp_path / "gray.png")

    with pytest.raises(EvaluationError, match="none of the 1 pictures has color"):
        evaluate_models([subject()], tmp_path, TERMS)
