import shutil
from pathlib import Path

import pytest
from pydantic import SecretStr

from restoration.generators.models import installed_models
from worker import doctor
from worker.doctor import State, storage
from worker.models.importing import import_from
from worker.models.library import choose_default
from worker.settings import load_settings


@pytest.fixture
def check(settings):
    """The outcome of one check by its name."""

    def check(name: str) -> doctor.Check:
        return next(found for found in doctor.examine(load_settings()) if found.name == name)

    return check


def test_a_fresh_station_passes(settings, database):
    amiss = [found for found in doctor.examine(settings) if found.state is not State.OK]
    assert amiss == []


def test_every_check_that_is_not_ok_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("SAEK_HOME", str(tmp_path / "none"))
    monkeypatch.setenv("SAEK_MODEL", "nothing")
    monkeypatch.setenv("SAEK_BROKER_URL", "redis://127.0.0.1:1/0")
    found = list(doctor.examine(load_settings()))
    assert {check.name for check in found if check.state is State.FAILED} == {"broker", "model"}
    assert all(check.remedy for check in found if check.state is not State.OK)


def test_a_folder_that_everybody_may_write_to_fails(check, settings):
    settings.inbox_path.chmod(0o777)
    assert check("inbox").state is State.FAILED
    assert "chmod o-w" in check("inbox").remedy


def test_folders_that_overlap_fail(check, settings, monkeypatch):
    monkeypatch.setenv("SAEK_OUTBOX", str(settings.inbox_path / "out"))
    assert check("overlap").state is State.FAILED


def test_a_file_in_a_folders_place_fails(check, settings):
    settings.outbox_path.rmdir()
    settings.outbox_path.touch()
    assert check("outbox").state is State.FAILED


def test_too_little_free_disk_fails(check, monkeypatch):
    monkeypatch.setenv("SAEK_MIN_FREE_BYTES", str(10**18))
    assert check("disk").state is State.FAILED
    assert "SAEK_MIN_FREE_BYTES" in check("disk").remedy


def test_polling_is_reported_with_its_interval(check, monkeypatch):
    monkeypatch.setenv("SAEK_WATCH", "polling")
    monkeypatch.setenv("SAEK_POLL_SECONDS", "7")
    assert "every 7 s" in check("watching").found


def test_too_many_folders_for_the_kernel_fail(check, settings, monkeypatch, tmp_path):
    limit = tmp_path / "max_user_watches"
    limit.write_text("3\n")
    monkeypatch.setattr(storage, "_WATCHES", limit)
    states = []
    for name in ("a", "b"):
        states.append(check("watching").state)
        (settings.inbox_path / name).mkdir()
    assert [*states, check("watching").state] == [State.OK, State.WARNING, State.FAILED]
    assert "sysctl" in check("watching").remedy


def test_no_record_yet_is_a_warning_and_makes_none(check, settings):
    assert check("database").state is State.WARNING
    assert not (settings.home / "saek.db").exists()


def test_unknown_tables_fail_with_the_command_to_upgrade(check, settings):
    (settings.home / "saek.db").touch()
    assert check("database").state is State.FAILED
    assert "saek db upgrade" in check("database").remedy


def test_all_models_are_checked(check, settings, model_file):
    import_from(str(model_file), settings)
    installed = len(installed_models()) + 1
    assert check("models").found == f"{installed} installed, all with the weights of their cards"
    (settings.models_path / "mine.safetensors").write_bytes(b"damaged")
    assert check("models").state is State.WARNING
    assert "mine" in check("models").found
    assert check("model").state is State.OK
    choose_default(settings, "mine")
    assert check("model").state is State.FAILED


def test_a_hidden_model_is_reported(check, settings, model_file):
    import_from(str(model_file), settings)
    card = (settings.models_path / "mine.toml").read_text().replace('"mine"', '"archive-1"')
    (settings.models_path / "archive-1.toml").write_text(card)
    assert check("models").state is State.WARNING
    assert "archive-1.toml is never used" in check("models").found


def test_models_that_everybody_may_change_fail(check, settings):
    settings.models_path.mkdir()
    settings.models_path.chmod(0o777)
    assert check("models").state is State.FAILED
    assert "chmod o-w" in check("models").remedy


def test_a_check_that_raises_is_a_failed_check(check, monkeypatch):
    def broken(_: Path) -> shutil._ntuple_diskusage:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(shutil, "disk_usage", broken)
    assert check("disk").state is State.FAILED
    assert "Input/output error" in check("disk").found
    assert check("text").state is State.OK


def test_an_unencrypted_connection_is_a_warning(settings):
    assert doctor.encryption(settings).state is State.OK
    remote = settings.model_copy(update={"database_url": SecretStr("postgresql://u:hush@db.example/saek")})
    found = doctor.encryption(remote)
    assert found.state is State.WARNING
    assert "sslmode=verify-full" in found.remedy
    assert "hush" not in str(found)


def test_a_folder_of_sockets_that_others_write_to_is_a_failure(settings, check):
    assert check("private").state is State.OK
    settings.run_path.chmod(0o777)
    assert check("private").state is State.FAILED
    assert "chmod go-w" in check("private").remedy
