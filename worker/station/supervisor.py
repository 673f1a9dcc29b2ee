"""The supervisor: starts the parts of one machine, keeps them running, and stops them."""

import threading
import time
from collections.abc import Sequence
from typing import Final

import structlog

from db.core import current_time, open_database
from db.migrations import upgrade
from worker.errors import BrokerUnavailable
from worker.exits import Exit
from worker.parts.part_exits import write_part_exits
from worker.queue.broker import ping
from worker.recipes import recipe_from
from worker.settings import Settings
from worker.station.idle_goal import IdleGoal
from worker.station.part import StationPart
from worker.storage.home import prepare_home, station_lock

PARTS: Final = ("broker", "dispatch", "worker", "ingest")
"""Commands of the parts in the order of their start; they are stopped in the reverse order."""

_CHECK_SECONDS: Final = 0.25
_BROKER_START_SECONDS: Final = 20.0

_log = structlog.get_logger()


def run_station(settings: Settings, stop: threading.Event, *, until_idle: bool = False) -> Exit:
    """Run all parts until `stop` is set, or, with `until_idle`, until every file in the inbox has ended.

    A part that dies is started again after a pause that doubles up to 30 s; its exits are kept for
    `saek status`. On stop the ingester ends first and the broker last; a running job may finish within
    `drain_seconds`, else it goes back to the queue.

    With `until_idle`, a part that keeps dying while no file ends stops the station, with the exit code of
    that part. The code is INCOMPLETE if there are folders that cannot be read.

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
        parts = [
            StationPart(name, settings) for name in PARTS if name != "broker" or settings.embedded_broker
        ]
        try:
            with database.read() as s:
                goal = IdleGoal(settings, database, current_time(s)) if until_idle else None
            for part in parts:
                part.start()
                if part.name == "broker":
                    _wait_for_broker(part, settings, stop)
            _log.info("the station runs", home=str(settings.home), inbox=str(settings.inbox_path))
            code = _supervise(parts, settings, stop, goal)
        finally:
            for part in reversed(parts):
                part.stop()
            write_part_exits(settings, ())
            database.dispose()
        _log.info("the station has stopped")
    return code


def _supervise(
    parts: Sequence[StationPart], settings: Settings, stop: threading.Event, goal: IdleGoal | None
) -> Exit:
    write_part_exits(settings, ())
    next_check = time.monotonic() + 1.0
    while not stop.wait(_CHECK_SECONDS):
        now = time.monotonic()
        for part in parts:
            if part.keep_running(now):
                write_part_exits(settings, [one.exits for one in parts if one.exits is not None])
        if goal is not None and now >= next_check:
            next_check = now + 1.0
            if (code := goal.reached(parts)) is not None:
                return code
    return Exit.OK


def _wait_for_broker(part: StationPart, settings: Settings, stop: threading.Event) -> None:
    deadline = time.monotonic() + _BROKER_START_SECONDS
    while True:
        try:
            ping(settings)
        except BrokerUnavailable:
            if not part.is_running or time.monotonic() > deadline or stop.wait(0.05):
                raise
        else:
            return
