import os
import shutil

import pytest

from restoration import ModelRefused, model_card
from worker.models.download import CHUNK
from worker.models.importing import import_from
from worker.models.library import library_from


def test_progress_ends_with_the_whole_file(settings, model_file):
    told = []
    import_from(str(model_file), settings, progress=lambda here, total: told.append((here, total)))
    size = model_file.stat().st_size
    assert told[0] == (CHUNK, size)
    assert told[-1] == (size, size)


def test_the_page_beside_the_weights_comes_along(settings, model_file, tmp_path):
    shutil.copy(model_file, tmp_path / "harbor.v2.safetensors")
    (tmp_path / "harbor.v2.md").write_text("# harbor")
    card = import_from(str(tmp_path / "harbor.v2.safetensors"), settings, name="harbor.v2").card
    assert (card.folder / "harbor.v2.md").read_text() == "# harbor"
    assert model_card("harbor.v2", library_from(settings)) == card


def test_a_file_may_be_named_from_the_home_of_the_user(settings, model_file, monkeypatch):
    monkeypatch.setenv("HOME", str(model_file.parent))
    assert import_from("~/mine.safetensors", settings).new


def test_a_folder_with_several_weights_names_them(settings, tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.safetensors").touch()
    with pytest.raises(ModelRefused, match=r"found: a\.safetensors, b\.safetensors"):
        import_from(str(tmp_path), settings)


@pytest.mark.parametrize(
    "source", ["file://elsewhere/a.safetensors", "http://203.0.113.1/a.safetensors", "ftp://x/a.safetensors"]
)
def test_an_address_that_is_not_allowed_is_refused(source, settings):
    with pytest.raises(ModelRefused):
        import_from(source, settings, sha256="0" * 64)


def test_a_pipe_or_folder_is_refused_without_waiting(settings, tmp_path):
    os.mkfifo(tmp_path / "pipe.safetensors")
    with pytest.raises(ModelRefused, match="not a regular file"):
        import_from(str(tmp_path / "pipe.safetensors"), settings)


def test_an_unreadable_card_is_refused_as_such(settings, model_file, tmp_path):
    shutil.copy(model_file, tmp_path / "mine.safetensors")
    (tmp_path / "mine.toml").mkdir()
    with pytest.raises(ModelRefused, match="cannot be read"):
        import_from(str(tmp_path / "mine.safetensors"), settings)
