"""The registry of models: search order, hidden models, the default."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restoration.errors import ModelError, UnknownModel
from restoration.generators.models import (
    SHIPPED,
    Library,
    ModelCard,
    card_paths,
    card_toml,
    default_model,
    hidden_cards,
    installed_models,
    model_card,
)
from restoration.generators.models.card import card_of, toml


@pytest.fixture
def library(shelf: Path) -> Library:
    return Library((shelf,))


@pytest.fixture
def card(library: Library) -> ModelCard:
    return model_card("trial", library)


def put(card: ModelCard, folder: Path, **facts: object) -> ModelCard:
    """Write a card with other facts into a folder; its weights need not be there."""
    folder.mkdir(exist_ok=True)
    changed = dataclasses.replace(card, folder=folder, **facts)
    (folder / f"{changed.name}.toml").write_text(card_toml(changed))
    return changed


def test_a_card_reads_back_as_it_was_written(card: ModelCard, library: Library) -> None:
    put(card, card.folder)

    assert model_card("trial", library) == card


@given(summary=st.text())
def test_any_text_in_a_card_survives(summary: str) -> None:
    import tomllib  # noqa: PLC0415

    assert tomllib.loads(toml({"summary": summary})) == {"summary": summary}


def test_a_card_as_json_does_not_contain_its_folder(card: ModelCard) -> None:
    kept = json.loads(json.dumps(card.entries()))

    assert kept["weights"] == card.weights
    assert "folder" not in kept


def test_a_card_knows_its_folder(card: ModelCard, shelf: Path) -> None:
    assert card.folder == shelf
    assert model_card("archive-1").folder == SHIPPED


def test_an_unknown_model_is_told_with_those_that_are_there(library: Library) -> None:
    with pytest.raises(UnknownModel) as caught:
        model_card("no-such-model", library)

    assert "no-such-model" in caught.value.reason
    assert "trial" in caught.value.remedy


@pytest.mark.parametrize("name", ["../shelf/trial", "/etc/passwd", "", ".", "TRIAL", "a" * 65])
def test_a_name_cannot_lead_out_of_the_folder(name: str, library: Library) -> None:
    with pytest.raises(UnknownModel):
        model_card(name, library)


def test_the_default_is_the_one_card_that_says_so(library: Library) -> None:
    assert default_model(library).name == "trial"


def test_the_default_that_a_library_names_goes_first(card: ModelCard, library: Library, shelf: Path) -> None:
    put(card, shelf, name="other", default=False)

    assert default_model(dataclasses.replace(library, default="other")).name == "other"


def test_a_default_that_is_gone_is_told(library: Library) -> None:
    with pytest.raises(UnknownModel, match="gone"):
        default_model(dataclasses.replace(library, default="gone"))


def test_only_the_first_folder_says_what_the_default_is(card: ModelCard, shelf: Path, tmp_path: Path) -> None:
    put(card, tmp_path / "more", name="pushy", default=True)

    assert default_model(Library((shelf, tmp_path / "more"))).name == "trial"


@pytest.mark.parametrize("others", [0, 2])
def test_a_folder_without_exactly_one_default_is_refused(
    card: ModelCard, library: Library, shelf: Path, others: int
) -> None:
    put(card, shelf, default=others > 0)
    for number in range(others):
        put(card, shelf, name=f"other-{number}", default=True)

    with pytest.raises(UnknownModel, match="one model must be the default"):
        default_model(library)


def test_models_of_all_folders_are_found(card: ModelCard, shelf: Path, tmp_path: Path) -> None:
    put(card, tmp_path / "more", name="mine")
    library = Library((shelf, tmp_path / "more", tmp_path / "none"))

    assert [found.name for found in installed_models(library)] == ["trial", "mine"]
    assert model_card("mine", library).folder == tmp_path / "more"


def test_a_model_hides_one_of_the_same_name_in_a_later_folder(
    card: ModelCard, shelf: Path, tmp_path: Path
) -> None:
    put(card, tmp_path / "more", summary="another one")
    library = Library((shelf, tmp_path / "more"))

    assert installed_models(library) == (card,) == (model_card("trial", library),)
    assert hidden_cards(library) == (tmp_path / "more" / "trial.toml",)
    assert card_paths(library) == (shelf / "trial.toml",)


def test_with_nothing_given_there_are_the_shipped_models_only(shelf: Path) -> None:
    assert {card.folder for card in installed_models()} == {SHIPPED}
    with pytest.raises(UnknownModel):
        model_card("trial")


@pytest.mark.parametrize("text", ["name = ", 'name = "half"', 'surprise = "entry"'])
def test_a_card_that_cannot_be_understood_is_told_with_its_file(
    shelf: Path, library: Library, text: str
) -> None:
    (shelf / "broken.toml").write_text(text)

    with pytest.raises(ModelError, match="card cannot be read") as caught:
        installed_models(library)

    assert caught.value.path == shelf / "broken.toml"
    assert model_card("trial", library).name == "trial"


@pytest.mark.parametrize(
    "entry",
    [
        {"multiple": "32"},
        {"multiple": True},
        {"default": 1},
        {"weights": "abc"},
        {"name": "../up"},
        {"surprise": 1},
        {"summary": None},
    ],
)
def test_an_entry_of_a_wrong_kind_is_refused_by_its_name(card: ModelCard, entry: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(entry)) if "name" not in entry else "up"):
        card_of({**card.entries(), **entry}, card.folder)


def test_a_card_may_not_point_out_of_its_folder(card: ModelCard, shelf: Path, library: Library) -> None:
    put(card, shelf, file="../weights.safetensors")

    with pytest.raises(ModelError, match="outside its folder"):
        installed_models(library)


def test_a_card_has_the_name_of_its_file(shelf: Path, library: Library) -> None:
    shutil.copy(shelf / "trial.toml", shelf / "renamed.toml")

    with pytest.raises(ModelError, match="named 'trial'"):
        model_card("renamed", library)
