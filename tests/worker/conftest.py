from collections.abc import Iterator
from pathlib import Path

import pytest

from db.engine import Database, open_database
from db.migrate import upgrade
from worker.home import prepare_home
from worker.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a station in an empty home, whose folders exist."""
    monkeypatch.setenv("SAEK_HOME", str(tmp_path / "home"))
    settings = load_settings()
    prepare_home(settings)
    return settings


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """The record of that station, empty."""
    upgrade(settings.database_address())
    database = open_database(settings.database_address())
    yield database
    database.dispose()
