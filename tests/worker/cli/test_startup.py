"""No part starts without a record of this release, or with folders that it cannot use."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from db.core.engine import open_database
from db.migrations.runner import upgrade
from worker.exits import Exit

PARTS = ("ingest", "dispatch", "worker")


def start(part: str, home: Path, **changes: str) -> "subprocess.CompletedProcess[str]":

    environment = os.environ | {"SAEK_HOME": str(home)} | changes
    command = [sys.executable, "-m", "worker", part]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    return home


@pytest.mark.parametrize("part", PARTS)
def test_no_part_starts_without_a_record(home: Path, part: str) -> None:
    refused = start(part, home)
    assert refused.returncode == Exit.DATABASE
    assert "There is no record" in refused.stderr
    assert not (home / "saek.db").exists()


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_no_part_starts_on_the_tables_of_a_newer_release(
    request: pytest.FixtureRequest, home: Path, part: str, database: str
) -> None:
    url = f"sqlite:///{home}/saek.db" if database == "sqlite" else request.getfixturevalue("new_postgres")()
    changes = {} if database == "sqlite" else {"SAEK_DATABASE_URL": url}
    upgrade(url)
    opened = open_database(url)
    with opened.begin() as s:
        s.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    opened.dispose()
    refused = start(part, home, **changes)
    assert refused.returncode == Exit.DATABASE
    assert "which this release does not know" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.postgres
@pytest.mark.parametrize("part", PARTS)
def test_no_part_starts_on_a_database_without_tables(home: Path, part: str, new_postgres) -> None:
    refused = start(part, home, SAEK_DATABASE_URL=new_postgres())
    assert refused.returncode == Exit.DATABASE
    assert "saek db upgrade" in refused.stderr


@pytest.mark.parametrize("part", PARTS)
def test_no_part_starts_with_an_outbox_that_is_no_folder(home: Path, tmp_path: Path, part: str) -> None:
    upgrade(f"sqlite:///{home}/saek.db")
    (tmp_path / "file").touch()
    refused = start(part, home, SAEK_OUTBOX=str(tmp_path / "file"))
    assert refused.returncode == Exit.SETTINGS
    assert "is no folder" in refused.stderr
