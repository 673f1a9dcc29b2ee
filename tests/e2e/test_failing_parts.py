"""A part that keeps ending is told of: by the log, status, doctor, and the exit code of --until-idle."""

import json
import os
import signal
import time
from typing import Any

import pytest

from db.queue.intake import register
from db.values import NewScan, NewSighting
from worker.exits import Exit
from worker.parts.part_exits import FAILING

pytestmark = [pytest.mark.slow, pytest.mark.timeout(290)]


def ending(station: Any) -> dict[str, Any]:
    told = json.loads(station.saek("status", "--json").stdout or "{}")
    return {one["part"]: one for one in told.get("parts_ending", [])}


def test_until_idle_returns_the_code_of_a_failing_part(station: Any) -> None:
    assert station.saek("db", "upgrade").returncode == 0
    with station.database() as database, database.begin() as s:  # so that it does not end at once
        register(s, NewSighting("inbox", b"b.tif", "b.tif", "", 1, 1, 1), NewScan("a" * 64, 1), None)
    station.start("--until-idle")
    station.await_that(lambda: "watching" in station.log.read_text(), "the ingester")
    configuration = station.settings.home / "saek.toml"
    configuration.write_text("settle_seconds = -1\n")  # which parts read when they begin
    os.kill(station.parts()["ingest"], signal.SIGKILL)
    assert station.wait(280) == Exit.SETTINGS, station.tail()
    said = station.log.read_text()
    assert "a part keeps ending" in said
    assert "the work cannot finish" in said
    assert said.count("A setting is not valid: settle_seconds") >= 5
    assert "why='saek: A setting is not valid" in said or 'why="saek: A setting is not valid' in said


def test_a_part_killed_repeatedly_is_reported_until_it_runs(station: Any) -> None:
    station.start()
    station.await_that(lambda: "dispatch" in station.parts(), "the start")
    for _ in range(FAILING):
        before = station.parts()["dispatch"]
        os.kill(before, signal.SIGKILL)
        station.await_that(
            lambda before=before: station.parts().get("dispatch") not in {None, before}, "a new"
        )
    told = ending(station)["dispatch"]
    assert (told["times"], told["failing"], told["code"]) == (FAILING, True, -signal.SIGKILL)
    assert "the station does not work: dispatch keeps exiting" in station.saek("status").stdout
    checks = json.loads(station.saek("doctor", "--json").stdout)["checks"]
    (parts,) = [check for check in checks if check["name"] == "parts"]
    assert parts["state"] == "failed"
    assert "dispatch exited 3 times" in parts["found"]
    assert "SIGKILL" in parts["found"]
    station.await_that(lambda: not ending(station), "a steady run")
    assert "the station runs" in station.saek("status").stdout
    assert station.stop() == 0


def test_parts_end_with_their_station(station: Any) -> None:
    station.start()
    station.await_that(lambda: len(station.parts()) == 4, "the start")
    time.sleep(3)
    station.kill()  # waits until all have gone
