import json
import subprocess
import sys
import time

from worker.errors import BrokerUnavailable
from worker.parts.wait_reporter import WaitReporter, waiting_parts
from worker.settings import Settings

AWAY = BrokerUnavailable(reason="it does not answer", remedy="start it")


def test_a_part_tells_what_it_waits_for_and_since_when(settings: Settings) -> None:
    reporter = WaitReporter(settings, "dispatch")
    reporter.report(AWAY)
    (first,) = waiting_parts(settings)
    assert (first.part, first.code, first.reason, first.remedy) == (
        "dispatch",
        "broker-unavailable",
        "it does not answer",
        "start it",
    )
    time.sleep(0.01)
    reporter.report(BrokerUnavailable(reason="it still does not answer", remedy="start it"))
    (later,) = waiting_parts(settings)
    assert (later.reason, later.since) == ("it still does not answer", first.since)
    reporter.report(OSError(116, "Stale file handle"))
    (other,) = waiting_parts(settings)
    assert other.since > first.since
    assert "Stale" in other.reason
    assert other.remedy
    reporter.clear()
    assert waiting_parts(settings) == []
    reporter.clear()


def test_what_a_dead_process_waited_for_is_not_told(settings: Settings) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    WaitReporter(settings, "ingest").report(AWAY)
    (path,) = (settings.run_path / "waits").glob("*.json")
    told = json.loads(path.read_text())
    path.with_name("ingest-1.json").write_text(json.dumps({**told, "pid": dead.pid}))
    path.with_name("ingest-2.json").write_text("no json")
    assert [wait.pid for wait in waiting_parts(settings)] == [told["pid"]]


def test_a_home_that_cannot_be_written_to_stops_nobody(settings: Settings) -> None:
    (settings.run_path / "waits").write_text("a file where the folder should be")
    reporter = WaitReporter(settings, "ingest")
    reporter.report(AWAY)
    reporter.clear()
