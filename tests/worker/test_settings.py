from pathlib import Path

import pytest

from worker.errors import SettingsError
from worker.settings import SOCKET_PATH_BYTES, Settings, load_settings


def test_environment_overrides_file_and_file_overrides_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "saek.toml").write_text("settle_seconds = 3.0\nrescan_seconds = 60\n")
    monkeypatch.setenv("SAEK_HOME", str(tmp_path))
    monkeypatch.setenv("SAEK_SETTLE_SECONDS", "2")
    settings = load_settings()
    assert settings.settle_seconds == 2
    assert settings.rescan_seconds == 60
    assert settings.dispatch_depth == Settings.model_fields["dispatch_depth"].default


def test_a_misspelled_variable_is_refused_with_the_likely_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAEK_INBX", "/somewhere")
    with pytest.raises(SettingsError, match="Did you mean SAEK_INBOX"):
        load_settings()


@pytest.mark.parametrize(
    "line", ["no_such_setting = 1", "strength = 9.5", "format = [1]", "settle_seconds ="]
)
def test_a_faulty_file_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "saek.toml").write_text(line + "\n")
    with pytest.raises(SettingsError):
        load_settings(home=tmp_path)


def test_passwords_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAEK_BROKER_URL", "redis://:secret@127.0.0.1/0")
    monkeypatch.setenv("SAEK_DATABASE_URL", "postgresql+psycopg://u:secret@127.0.0.1/saek")
    settings = load_settings()
    assert "secret" not in repr(settings) + str(settings.model_dump()) + settings.model_dump_json()
    assert "secret" in settings.broker_address()


def test_a_deep_home_still_has_a_socket_that_the_kernel_takes(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    first, second = load_settings(home=deep), load_settings(home=deep / "other")
    assert len(str(first.broker_socket).encode()) <= SOCKET_PATH_BYTES
    assert first.broker_socket != second.broker_socket


def test_folders_follow_the_home_unless_they_are_set(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, inbox=Path("~/scans"))
    assert settings.outbox_path == tmp_path / "outbox"
    assert settings.inbox_path == Path.home() / "scans"


def test_a_world_readable_password_is_refused_with_a_remedy(
    tmp_path: Path,
) -> None:
    file = tmp_path / "saek.toml"
    file.write_text('broker_url = "redis://:hush@127.0.0.1/0"\n')
    file.chmod(0o644)
    with pytest.raises(SettingsError, match="chmod o-rwx") as caught:
        load_settings(home=tmp_path)
    assert "hush" not in str(caught.value)
    file.chmod(0o640)
    assert "hush" in load_settings(home=tmp_path).broker_address()


def test_without_a_password_only_world_writable_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "saek.toml"
    file.write_text('broker_url = "redis://127.0.0.1/0"\n')
    file.chmod(0o644)
    load_settings(home=tmp_path)
    file.chmod(0o666)
    with pytest.raises(SettingsError, match="chmod o-w"):
        load_settings(home=tmp_path)
