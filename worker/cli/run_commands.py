"""`saek station`, its single parts, and `saek demo`: start, and stop on signals."""

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
        bool, typer.Option("--until-idle", help="Exit when every file in the inbox is processed.")
    ] = False,
) -> None:
    """Run all parts on this machine until Ctrl-C or SIGTERM: watch, queue, color and record."""
    stop = _stop_on_signals()
    from worker.station.supervisor import run_station

    raise typer.Exit(run_station(settings_and_logs(), stop, until_idle=until_idle))


def ingest() -> None:
    """Run only the part that watches the inbox and records its files."""
    _exit_with_station()
    stop = _stop_on_signals()
    from worker.inbox.ingest import run_ingest

    run_ingest(settings_and_logs(), stop)


def dispatch() -> None:
    """Run only the part that sends queued jobs to the broker and takes back those of dead workers."""
    _exit_with_station()
    stop = _stop_on_signals()
    from worker.queue.relay import run_dispatch

    run_dispatch(settings_and_logs(), stop)


def worker() -> None:
    """Run only the part that colors: `concurrency` processes that take jobs from the broker."""
    _exit_with_station()
    settings = settings_and_logs()
    from worker.jobs.worker import run_worker

    raise typer.Exit(run_worker(settings))


def broker() -> None:
    """Run only the embedded broker; `saek station` starts it itself."""
    _exit_with_station()
    stop = _stop_on_signals()
    from worker.queue.broker import serve_broker

    serve_broker(settings_and_logs(), stop)


def demo(
    into: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="Home of the demo station; an earlier demo there is replaced.",
            file_okay=False,
        ),
    ] = Path("demo"),
) -> None:
    """Color a few photographs that come with the installation, show the result of each, and exit."""
    settings_and_logs()
    from worker.demo import run_demo

    raise typer.Exit(run_demo(into.expanduser()))


def _exit_with_station() -> None:
    """Ask the kernel for SIGTERM when the parent station dies (PR_SET_PDEATHSIG)."""
    station = os.environ.get("STATION_PID")
    if station is None or sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    if os.getppid() != int(station):
        raise typer.Exit(Exit.OK)  # the station is already dead


def _stop_on_signals() -> threading.Event:
    """Return an event that the first SIGINT or SIGTERM sets; the second one kills the process.

    Call it before slow imports, so that a signal during them counts too.
    """
    stop = threading.Event()

    def ask(number: int, _: FrameType | None) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask)
    return stop
