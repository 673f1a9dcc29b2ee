"""The station: broker, relay, worker and ingester of one machine, kept running and drained together."""

import datetime as dt
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import IO

import structlog

from db.catalog import any_names_due, last_survey
from db.core import Database, current_time, open_database
from db.errors import DatabaseUnavailable
from db.migrations import upgrade
from db.reports import overview
from db.vocabulary import FileState
from worker.errors import BrokerUnavailable
from worker.exits import Exit
from worker.inbox.rescan import everything_known
from worker.inbox.walk import WalkSummary
from worker.parts.part_exits import FAILING, PartExits, describe_exit_code, exit_for, write_part_exits
from worker.queue.broker import ping
from worker.recipes import recipe_from
from worker.settings import Settings
from worker.storage.home import prepare_home, station_lock

PARTS = ("broker", "dispatch", "worker", "ingest")
"""Commands that the station runs, in the order of their start; they are stopped in the reverse order."""

_LOOK = 0.25
_LONGEST_PAUSE = 30.0
_STEADY = 60.0
_GRACE = 15.0
_BROKER_START = 20.0
_HOPELESS = 6
"""A part that ended so many times in a row while no file came to an end is not waited for."""

STATION = "STATION_PID"
"""Name of the variable that tells a part which process it ends with."""

_ANSI = re.compile(r"\x1b\[[0-9;]*m")

_log = structlog.get_logger()


@dataclass(slots=True)
class _Part:
    name: str
    process: "subprocess.Popen[bytes] | None" = None
    started: float = 0.0
    pause: float = 1.0
    due: float = 0.0
    ends: PartExits | None = None
    """None while it runs as it should."""
    in_vain: int = 0
    """How many times it ended since a file last came to an end."""
    said: deque[str] = field(default_factory=lambda: deque(maxlen=20))
    """The last lines that it wrote."""
    listener: threading.Thread | None = None


def run_station(settings: Settings, stop: threading.Event, *, until_idle: bool = False) -> Exit:
    """Run all parts until `stop` is set, or, with `until_idle`, until every file in the inbox has ended.

    A part that dies is started again after a pause that doubles up to 30 s; see `worker.parts.part_exits`.
    With `until_idle` one that keeps dying while no file comes to an end is not waited for: the code that
    it ended with is returned. So is INCOMPLETE when there were folders that nobody could look into. On stop
    the ingester goes first and the broker last; a running job may finish within `drain_seconds`, else it goes
    back to the queue.

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
            with database.read() as s:
                goal = _Goal(settings, database, current_time(s))
            for part in parts:
                _start(part, settings)
                if part.name == "broker":
                    _await_broker(part, settings, stop)
            _log.info("the station runs", home=str(settings.home), inbox=str(settings.inbox_path))
            code = _supervise(parts, settings, stop, goal if until_idle else None)
        finally:
            _drain(parts, settings)
            write_part_exits(settings, ())
            database.dispose()
        _log.info("the station has stopped")
    return code


def _supervise(parts: list[_Part], settings: Settings, stop: threading.Event, goal: "_Goal | None") -> Exit:
    write_part_exits(settings, ())
    next_check = time.monotonic() + 1.0
    while not stop.wait(_LOOK):
        now = time.monotonic()
        for part in parts:
            if _restart_if_dead(part, settings, now):
                write_part_exits(settings, [one.ends for one in parts if one.ends is not None])
        if goal is not None and now >= next_check:
            next_check = now + 1.0
            if (code := goal.reached(parts)) is not None:
                return code
    return Exit.OK


class _Goal:
    """That every file in the inbox has ended, and no derivative lacks a name in the outbox.

    The inbox was looked through since the station began, so that files which went away are noted as gone.
    """

    def __init__(self, settings: Settings, database: Database, began: dt.datetime) -> None:
        self._settings, self._database, self._began = settings, database, began
        self._ended = -1

    def reached(self, parts: list[_Part]) -> Exit | None:
        """Return how the station ends, once all files have ended or nothing but a failing part is left."""
        try:
            with self._database.read() as s:
                files, names_due = overview(s, exact=True).files, any_names_due(s)
                last = last_survey(s)
            open_files = files[FileState.QUEUED] + files[FileState.RUNNING] + files[FileState.REGISTERED]
            survey = WalkSummary()
            looked = last is not None and last.taken_at >= self._began
            done = looked and not open_files and not names_due
            if done and everything_known(self._database, self._settings.inbox_path, survey):
                return self._reached(survey)
            self._heed_progress(parts, sum(files.values()) - open_files)
        except (DatabaseUnavailable, OSError) as error:
            _log.warning("waiting", reason=str(error))
        hopeless = [part.ends for part in parts if part.in_vain >= _HOPELESS and part.ends is not None]
        if not hopeless:
            return None
        for ends in hopeless:
            _log.error(
                "a part keeps ending and the work cannot come to its end; the station stops",
                part=ends.part,
                times=ends.times,
                why=ends.words,
            )
        return exit_for(hopeless)

    def _reached(self, survey: WalkSummary) -> Exit:
        if not survey.refused:
            return Exit.OK
        _log.warning(
            "all files have ended but those in folders that cannot be looked into; saek status names them",
            folders=len(survey.refused),
        )
        return Exit.INCOMPLETE

    def _heed_progress(self, parts: list[_Part], ended: int) -> None:
        if ended != self._ended:
            self._ended = ended
            for part in parts:
                part.in_vain = 0


def _restart_if_dead(part: _Part, settings: Settings, now: float) -> bool:
    """Start a part that ended, when its pause is over; return whether there is news of it."""
    news = False
    if part.process is not None:
        code = part.process.poll()
        if code is None:
            if now - part.started > _STEADY:
                part.pause = 1.0
                news = part.ends is not None
                part.ends, part.in_vain = None, 0
            return news
        part.ends = _ends(part, code)
        part.in_vain += 1
        _tell(part, part.ends)
        part.process, part.due = None, now + part.pause
        part.pause = min(2 * part.pause, _LONGEST_PAUSE)
        news = True
    if now >= part.due:
        _start(part, settings)
    return news


def _ends(part: _Part, code: int) -> PartExits:
    if part.listener is not None:
        part.listener.join(1.0)  # its last words may be on the way
    now, before = dt.datetime.now(dt.UTC), part.ends
    why = next((line for line in reversed(part.said) if line), "")
    since, times = (now, 1) if before is None else (before.since, before.times + 1)
    return PartExits(part.name, times, since, now, code, why)


def _tell(part: _Part, ends: PartExits) -> None:
    _log.error(
        "a part ended and is started again",
        part=ends.part,
        times=ends.times,
        ended=describe_exit_code(ends.code),
        why=ends.why,
        seconds=part.pause,
    )
    if ends.times == FAILING:
        _log.error(
            "a part keeps ending: the station does not work as it should",
            part=ends.part,
            times=ends.times,
            since=ends.since.isoformat(timespec="seconds"),
            remedy="its last words tell why; saek doctor looks for causes",
        )


def _start(part: _Part, settings: Settings) -> None:
    environment = os.environ | {"SAEK_HOME": str(settings.home), STATION: str(os.getpid())}
    if sys.stderr.isatty():
        environment.setdefault("FORCE_COLOR", "1")
    part.said = deque(maxlen=part.said.maxlen)
    part.process = subprocess.Popen(
        [sys.executable, "-m", "worker", part.name],
        env=environment,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the station alone; it stops the parts in their order
    )
    part.listener = threading.Thread(target=_listen, args=(part.process.stderr, part.said), daemon=True)
    part.listener.start()
    part.started = time.monotonic()


def _listen(stream: IO[bytes], said: deque[str]) -> None:
    """Pass on what a part writes, and remember the last lines."""
    with stream:
        for line in stream:
            said.append(_ANSI.sub("", line.decode("utf-8", "replace")).strip())
            _pass_on(line)


def _pass_on(line: bytes) -> None:
    try:
        while line:
            line = line[os.write(2, line) :]
    except OSError:
        return  # nobody reads what the station writes; its parts must not stop for that


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
