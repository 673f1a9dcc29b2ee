"""The alerts of docs/operations.md, run as written there, on working and failing stations."""

import datetime as dt
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from jq_command import folder_of_jq, made_in
from sqlalchemy import update
from typer.testing import Result

from db.core.engine import Database
from db.core.schema import Job
from db.values import utcnow
from worker.settings import Settings

PAGE = (Path(__file__).parents[3] / "docs" / "operations.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("## Monitoring")[2].partition("\n## ")[0]
ALERTS = re.search(r"```sh\n(.*?)```", SECTION, re.DOTALL)[1].splitlines()
QUARANTINED, FAILED, OLD, WAITING, DOCTOR, VERIFY = ALERTS


@pytest.fixture
def fires(settings: Settings, tmp_path: Path, saek: Callable[..., Result]) -> Callable[..., bool]:
    """Run a line of the page in a shell and return whether it fires.

    Its `saek` is the installed one, or a script that writes what the command writes in this process.
    """

    def fires(line: str, *, installed: bool = False) -> bool:
        folder = Path(sys.executable).parent if installed else scripted(line)
        own = f"{folder}:{folder_of_jq(tmp_path)}:{os.environ['PATH']}"
        ran = subprocess.run(
            ["bash", "-o", "pipefail", "-c", line],
            env=os.environ | {"PATH": own},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.stderr == ""
        assert (ran.stdout.strip(), ran.returncode) in {("true", 0), ("false", 1)}
        return ran.returncode == 1

    def scripted(line: str) -> Path:
        command, *words = line.partition("|")[0].split()
        result = saek(*words)
        assert (command, result.stderr) == ("saek", "")
        folder = tmp_path / "scripted"
        folder.mkdir(exist_ok=True)
        (folder / "output").write_text(result.stdout, encoding="utf-8")
        script = f'#!/bin/sh\n[ "$*" = "{" ".join(words)}" ] || exit 99\ncat {folder}/output\n'
        (folder / "saek").write_text(f"{script}exit {int(result.exit_code)}\n")
        (folder / "saek").chmod(0o755)
        return folder

    return fires


@pytest.mark.parametrize("line", [line for line in ALERTS if line != DOCTOR])
def test_no_alert_fires_on_a_working_station(fires, record, line):
    record.done("a.tif")
    record.again("b.tif")
    record.running("c.tif")
    assert not fires(line, installed=True)


def test_a_quarantined_file_fires(fires, record):
    record.refused("a.tif")
    assert fires(QUARANTINED)


@pytest.mark.parametrize("how", ["failed", "failed_again"])
def test_a_failed_job_fires_until_it_is_retried_or_given_up(fires, record, saek, how):
    file = getattr(record, how)("a.tif")
    assert fires(FAILED)
    job_id = file if how == "failed_again" else file.job_id
    saek("retry", "--state", "failed")
    assert not fires(FAILED)
    saek("cancel", f"job:{job_id}")
    assert not fires(FAILED)


@pytest.mark.parametrize(("hours", "fired"), [(23, False), (25, True)])
def test_a_job_that_waits_for_more_than_a_day_fires(fires, record, database: Database, hours, fired):
    record.file("a.tif")
    with database.begin() as s:
        s.execute(update(Job).values(queued_at=utcnow() - dt.timedelta(hours=hours)))
    assert fires(OLD) is fired


def test_a_full_disk_fires_and_a_pause_does_not(fires, record, saek):
    record.file("a.tif")
    saek("pause")
    assert not fires(WAITING)
    saek("resume")
    record.waiting("b.tif")
    assert fires(WAITING)


def test_a_station_that_cannot_work_fires(fires, record, settings):
    record.file("a.tif")
    (settings.inbox_path / "a.tif").touch()
    assert not fires(DOCTOR, installed=True)
    settings.outbox_path.chmod(0o777)
    try:
        assert fires(DOCTOR)
    finally:
        settings.outbox_path.chmod(0o750)


def test_a_changed_event_fires(fires, record, database: Database):
    record.done("a.tif")
    with database.connect() as connection:
        connection.exec_driver_sql("DROP TRIGGER event_never_updated")
        connection.exec_driver_sql("UPDATE event SET detail = '{}' WHERE id = 1")
    assert fires(VERIFY)


@pytest.mark.parametrize(
    "words", [["-e", ".a == 0"], ["-e", ".a == 1"], ["-e", ".b"], [".a, .c"], ["-e", "empty"]]
)
def test_the_jq_of_the_wheel_does_what_jq_does(tmp_path, words):
    def ran(command: str) -> tuple[int, str]:
        done = subprocess.run(
            [command, *words], input='{"a": 0, "c": [1]}', capture_output=True, text=True, check=False
        )
        return done.returncode, "".join(done.stdout.split())

    wanted = {
        ".a == 0": (0, "true"),
        ".a == 1": (1, "false"),
        ".b": (1, "null"),
        ".a, .c": (0, "0[1]"),
        "empty": (4, ""),
    }[words[-1]]
    assert ran(str(made_in(tmp_path) / "jq")) == wanted
    assert ran(str(folder_of_jq(tmp_path) / "jq")) == wanted
