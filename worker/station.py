"""The station: broker, relay, worker and ingester of one machine, kept running and drained together."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

import structlog

from db.engine import Database, open_database
from db.errors import DatabaseUnavailable
from db.links import any_names_due
from db.migrate import upgrade
from db.status import overview
from db.vocabulary import FileState
from worker.broker import ping
from worker.errors import BrokerUnavailable
from worker.exits import Exit
from worker.home import prepare_home, station_lock
from worker.inbox.rescan import everything_known
from worker.recipes import recipe_from
from worker.settings import Settings

PARTS = ("broker", "dispatch", "worker", "ingest")
"""Commands that the station runs, in the order of their start; they are stopped in the reverse order."""

_LOOK = 0.25
_LONGEST_PAUSE = 30.0
_STEADY = 60.0
_GRACE = 15.0
_BROKER_START = 20.0

_log = structlog.get_logger()


@dataclass(slots=True)
class _Part:
    name: str
    process: "subprocess.Popen[bytes] | None" = None
    started: float = 0.0
    pause: float = 1.0
    due: float = 0.0


def run_station(settings: Settings, stop: threading.Event, *, until_idle: bool = False) -> Exit:
    """Run all parts until `stop` is set, or, with `until_idle`, until every file in the inbox has ended.

    A part that dies is started again after a pause that doubles up to 30 s. On stop the ingester goes first
    and the broker last; a running job may finish within `drain_seconds`, else it goes back to the queue.

    Raises:
        HomeError: the home's folders are not safe. HomeBusy: another station holds it.
        BrokerUnavailable: the embedded broker does not start.
        SettingsError, restoration.ModelError: there is no recipe to work by.
    """
    prepare_home(settings)
    recipe_from(settings)
    with station_lock(settings):
        upgrade(settings.database_address())
        database = open_database(settings.database_address())
        parts = [_Part(name) for name in PARTS if name != "broker" or settings.embedded_broker]
        try:
            for part in parts:
                _start(part, settings)
                if part.name == "broker":
                    _await_broker(part, settings, stop)
            _log.info("the station runs", home=str(settings.home), inbox=str(settings.inbox_path))
            _supervise(parts, settings, database, stop, until_idle=until_idle)
        finally:
            _drain(parts, settings)
            database.dispose()
        _log.info("the station has stopped")
    return Exit.OK


def all_ended(settings: Settings, database: Database) -> bool:
    """Whether every file in the inbox is known as it is now and has no work waiting or under way.

    Nor may a derivative lack a name in the outbox.
    """
    with database.read() as s:
        files, names_due = overview(s, exact=True).files, any_names_due(s)
    if names_due or files[FileState.QUEUED] or files[FileState.RUNNING] or files[FileState.REGISTERED]:
        return False
    return everything_known(database, settings.inbox_path)


def _supervise(
    parts: list[_Part], settings: Settings, database: Database, stop: threading.Event, *, until_idle: bool
) -> None:
    next_check = time.monotonic() + 1.0
    while not stop.wait(_LOOK):
        now = time.monotonic()
        for part in parts:
            _restart_if_dead(part, settings, now)
        if until_idle and now >= next_check:
            next_check = now + 1.0
            try:
                if all_ended(settings, database):
                    return
            except (DatabaseUnavailable, OSError) as error:
                _log.warning("waiting", reason=str(error))


def _restart_if_dead(part: _Part, settings: Settings, now: float) -> None:
    if part.process is not None:
        code = part.process.poll()
        if code is None:
            if now - part.started > _STEADY:
                part.pause = 1.0
            return
        _log.error("a part ended and is started again", part=part.name, code=code, seconds=part.pause)
        part.process, part.due = None, now + part.pause
        part.pause = min(2 * part.pause, _LONGEST_PAUSE)
    if now >= part.due:
        _start(part, settings)


def _start(part: _Part, settings: Settings) -> None:
    environment = os.environ | {"SAEK_HOME": str(settings.home)}
    part.process = subprocess.Popen(
        [sys.executable, "-m", "worker", part.name],
        env=environment,
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for the station alone; it stops the parts in their order
        preexec_fn=_die_with_parent,  # noqa: PLW1509  (the station is single-threaded here)
    )
    part.started = time.monotonic()


def _die_with_parent() -> None:
    """Have the kernel send SIGTERM to this process when the station dies (Linux: PR_SET_PDEATHSIG)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def _await_broker(part: _Part, settings: Settings, stop: threading.Event) -> None:
    deadline = time.monotonic() + _BROKER_START
    while True:
        try:
            ping(settings)
        except BrokerUnavailable:
            dead = part.process is not None and part.process.poll() is not None
            if dead or time.monotonic() > deadline or stop.wait(0.05):
                raise
        else:
            return


def _drain(parts: list[_Part], settings: Settings) -> None:
    for part in reversed(parts):
        process = part.process
        if process is None or process.poll() is not None:
            continue
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(settings.drain_seconds + _GRACE)
        except subprocess.TimeoutExpired:
            _log.warning("a part did not stop in time and is killed; the record is safe", part=part.name)
            os.killpg(process.pid, signal.SIGKILL)  # a worker has children
            process.wait()
