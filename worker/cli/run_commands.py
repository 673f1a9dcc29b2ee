"""How the parts that run for long are started, and how they are told to stop."""

import ctypes
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from worker.cli.context import settings_and_logs
from worker.exits import Exit


def station(
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="End by itself when every file in the inbox has ended.")
    ] = False,
) -> None:
    """Run everything on this machine: watch the inbox, queue, color, record; until Ctrl-C or SIGTERM."""
    stop = stop_on_signals()
    from worker.station.supervisor import run_station

    raise typer.Exit(run_station(settings_and_logs(), stop, until_idle=until_idle))


def ingest() -> None:
    """Run the part that watches the inbox and enters files into the record."""
    _end_with_station()
    stop = stop_on_signals()
    from worker.inbox.ingest import run_ingest

    run_ingest(settings_and_logs(), stop)


def dispatch() -> None:
    """Run the part that sends queued jobs to the broker and takes back those of dead workers."""
    _end_with_station()
    stop = stop_on_signals()
    from worker.queue.relay import run_dispatch

    run_dispatch(settings_and_logs(), stop)


def worker() -> None:
    """Run the part that colors: `concurrency` processes that take jobs from the broker."""
    _end_with_station()
    settings = settings_and_logs()
    from worker.jobs.worker import run_worker

    raise typer.Exit(run_worker(settings))


def broker() -> None:
    """Run the embedded broker alone; `saek station` does it by itself."""
    _end_with_station()
    stop = stop_on_signals()
    from worker.queue.broker import serve_broker

    serve_broker(settings_and_logs(), stop)


def demo(
    into: Annotated[
        Path, typer.Option(metavar="DIR", help="Home of the demo station; made anew.", file_okay=False)
    ] = Path("demo"),
) -> None:
    """Color a few photographs that ship with the installation, show what became of each, and end."""
    settings_and_logs()
    from worker.demo import run_demo

    raise typer.Exit(run_demo(into.expanduser()))


def _end_with_station() -> None:
    """Have the kernel send SIGTERM to this process when the station that began it dies (PR_SET_PDEATHSIG)."""
    station = os.environ.get("STATION_PID")
    if station is None or sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    if os.getppid() != int(station):
        raise typer.Exit(Exit.OK)  # it died before that


def stop_on_signals() -> threading.Event:
    """Return an event that the first SIGINT or SIGTERM sets; the second one ends the process at once.

    Call it before anything slow: a signal that comes during an import is heeded too.
    """
    stop = threading.Event()

    def ask(number: int, _: FrameType | None) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask)
    return stop
