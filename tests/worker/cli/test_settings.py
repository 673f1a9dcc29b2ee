import pytest

from worker.addresses import masked
from worker.settings import Settings


@pytest.fixture
def setting(saek_json):
    def setting(name: str) -> dict[str, object]:
        return next(fact for fact in saek_json("settings")["settings"] if fact["name"] == name)

    return setting


def test_every_setting_is_told_with_its_variable(saek_json):
    facts = saek_json("settings")["settings"]
    assert [fact["name"] for fact in facts] == list(Settings.model_fields)
    assert all(fact["variable"] == f"SAEK_{fact['name'].upper()}" and fact["description"] for fact in facts)


def test_a_setting_tells_where_it_comes_from(setting, settings, monkeypatch):
    (settings.home / "saek.toml").write_text("settle_seconds = 2.5\npreset = 'fine'\n")
    monkeypatch.setenv("SAEK_PRESET", "fast")
    assert (setting("settle_seconds")["value"], setting("settle_seconds")["source"]) == (2.5, "file")
    assert (setting("preset")["value"], setting("preset")["source"]) == ("fast", "environment")
    assert (setting("format")["value"], setting("format")["source"]) == ("tiff", "default")


def test_defaults_that_follow_from_the_home_are_told(setting, settings):
    assert setting("inbox")["value"] == str(settings.home / "inbox")
    assert setting("database_url")["value"] == f"sqlite:///{settings.home}/saek.db"


def test_no_password_is_ever_shown(saek, monkeypatch):
    monkeypatch.setenv("SAEK_DATABASE_URL", "postgresql://saek:hush@db/saek?sslpassword=hush2")
    monkeypatch.setenv("SAEK_BROKER_URL", "redis://:hush3@broker:6379/0")
    shown = saek("settings").output + saek("settings", "--json").output
    assert "hush" not in shown
    assert "postgresql://saek:***@db/saek?sslpassword=***" in shown
    assert "redis://:***@broker:6379/0" in shown


@pytest.mark.parametrize("text", ["hush", "http://[hush", "//user:hush@x"])
def test_what_is_no_url_is_hidden_whole(text):
    assert masked(text) == "***"


def test_the_doctor_tells_of_failed_jobs_of_done_files(saek_json, record):
    record.done("a.tif")

    def failures():
        return next(check for check in saek_json("doctor")["checks"] if check["name"] == "failures")

    assert failures()["state"] == "ok"
    record.failed_again("b.tif")
    record.failed("c.tif")
    record.refused("d.tif")
    assert failures()["state"] == "warning"
    assert failures()["found"] == "files: 1 quarantined, 1 failed, 1 failed when reprocessed"
    assert "saek retry --state failed" in failures()["remedy"]
