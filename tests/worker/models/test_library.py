import dataclasses
import shutil

import pytest

from restoration import UnknownModel, model_card, recipe_for
from restoration.generators.models import SHIPPED, card_toml, weights_path
from worker.errors import SettingsError
from worker.models.library import Default, Source, choose_default, default_file, default_of, library_from
from worker.recipes import recipe_from
from worker.settings import load_settings


@pytest.fixture
def copy(settings):
    """A copy of the shipped model under another name, in the folder of the imported models."""
    shipped = model_card("archive-1")
    folder = settings.models_path
    folder.mkdir()
    card = dataclasses.replace(shipped, name="copy", file="copy.safetensors", default=False, folder=folder)
    shutil.copyfile(weights_path(shipped), weights_path(card))
    (folder / "copy.toml").write_text(card_toml(card))
    return card


def test_imported_models_are_in_the_home_by_default(settings, tmp_path, monkeypatch):
    assert library_from(settings).folders == (SHIPPED, settings.home / "models")
    monkeypatch.setenv("SAEK_MODELS", str(tmp_path / "shared"))
    assert library_from(load_settings()).folders == (SHIPPED, tmp_path / "shared")


def test_without_a_choice_the_shipped_default_is_taken(settings, copy):
    assert default_of(settings).source is Source.SHIPPED
    assert recipe_from(settings) == recipe_for()


def test_a_choice_is_taken_by_everything_that_names_no_model(settings, copy):
    choose_default(settings, "copy")
    assert default_of(settings) == Default(copy, Source.CHOSEN)
    assert recipe_from(settings).model == "copy"


def test_the_setting_has_the_last_word(settings, copy, monkeypatch):
    choose_default(settings, "copy")
    monkeypatch.setenv("SAEK_MODEL", "archive-1")
    named = load_settings()
    assert (default_of(named).card.name, default_of(named).source) == ("archive-1", Source.SETTING)
    assert recipe_from(named).model == "archive-1"


def test_a_choice_can_be_taken_back(settings, copy):
    choose_default(settings, "copy")
    choose_default(settings, None)
    choose_default(settings, None)
    assert default_of(settings).source is Source.SHIPPED


def test_only_an_installed_model_can_be_chosen(settings):
    with pytest.raises(UnknownModel, match="ghost"):
        choose_default(settings, "ghost")
    assert not default_file(settings).exists()


def test_a_choice_that_is_no_longer_installed_is_told(settings, copy):
    choose_default(settings, "copy")
    (settings.models_path / "copy.toml").unlink()
    with pytest.raises(UnknownModel, match="copy"):
        recipe_from(settings)


def test_a_choice_that_cannot_be_read_names_its_file(settings):
    default_file(settings).parent.mkdir()
    default_file(settings).write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="models/default"):
        library_from(settings)
