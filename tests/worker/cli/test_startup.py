"""No part starts without a record of this release, or with folders that it cannot use."""

import os
import subprocess
import sys

import pytest
from sqlalchemy import text

from db.core.engine import open_database
from db.migrations.runner import upgrade
from worker.exits import Exit

PARTS = ("ingest", "dispatch", "worker")


@pytest.mark.parametrize("part", PARTS)
def test_no_part_starts_without_a_record(tmp_path, part):
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    command = [sys.executable, "-m", "worker", part]
    environment = os.environ | {"SAEK_HOME": str(home)}
    refused = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert refused.returncode == Exit.DATABASE
    assert "There is no record" in refused.stderr
    assert not (home / "saek.db").exists()


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_no_part_starts_on_the_tables_of_a_newer_release(
    request, monkeypatch, saek, settings, part, database
):
    url = settings.database_address()
    if database == "postgresql":
        url = request.getfixturevalue("new_postgres")()
        monkeypatch.setenv("SAEK_DATABASE_URL", url)
    upgrade(url)
    opened = open_database(url)
    with opened.begin() as s:
        s.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    opened.dispose()
    refused = saek(part)
    assert refused.exit_code == Exit.DATABASE
    assert "which this release does not know" in refused.stderr
    assert "Traceback" not in refused.output


@pytest.mark.postgres
@pytest.mark.parametrize("part", PARTS)
def test_no_part_starts_on_a_database_without_tables(monkeypatch, saek, new_postgres, part):
    monkeypatch.setenv("SAEK_DATABASE_URL", new_postgres())
    refused = saek(part)
    assert refused.exit_code == Exit.DATABASE
    assert "saek db upgrade" in refused.stderr


@pytest.mark.parametrize("part", PARTS)
def test_no_part_starts_with_an_outbox_that_is_no_folder(monkeypatch, saek, database, tmp_path, part):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SAEK_OUTBOX", str(tmp_path / "file"))
    refused = saek(part)
    assert refused.exit_code == Exit.SETTINGS
    assert "is not a folder" in refused.stderr
