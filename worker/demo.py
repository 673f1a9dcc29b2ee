"""The demo: a station in its own folder processes sample scans, and every result is checked."""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from db.catalog import FileRow, list_files
from db.core import Database, open_database
from db.errors import DatabaseError
from db.reports import running_jobs
from db.vocabulary import FileState
from restoration import Sample, contact_sheet, make_samples
from worker.console import PrintableConsole
from worker.errors import HomeError, MissingExtra
from worker.exits import Exit
from worker.printable import display_path
from worker.settings import FILE_NAME, Settings, load_settings
from worker.storage.home import is_station_running

_TIMEOUT_SECONDS = 600.0
_POLL_SECONDS = 0.5
_WIDTH = 110  # columns where standard output is not a terminal
_MARK = ".saek-demo"
_ENDED = {FileState.DONE, FileState.QUARANTINED, FileState.FAILED, FileState.CANCELLED}


def run_demo(into: Path) -> Exit:
    """Run a station on sample masters in the folder `into`, which is created again, and report.

    Returns OK only if every file has the expected result.

    Raises:
        HomeError: `into` is neither empty nor an earlier demo.
        MissingExtra: scikit-image is not installed.
    """
    console = PrintableConsole(width=None if sys.stdout.isatty() else _WIDTH)
    if importlib.util.find_spec("skimage") is None:
        raise MissingExtra(
            reason="The photographs of the demo come with scikit-image, which is not installed.",
            remedy="Run: pip install 'saek[demo]' (in a clone: pip install '.[demo]')",
        )
    settings = _fresh_home(into)
    samples = make_samples(settings.inbox_path)
    console.print(escape(f"Running a station in {settings.home} with {len(samples)} files in its inbox."))
    began = time.monotonic()
    log = settings.log_path / "station.log"
    with log.open("wb") as sink:
        station = subprocess.Popen(
            [sys.executable, "-m", "worker", "station", "--until-idle"],
            env=os.environ | {"SAEK_HOME": str(settings.home)},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
        )
        try:
            _follow(station, settings, len(samples), console)
        finally:
            _stop(station)
    seconds = time.monotonic() - began
    database = open_database(settings.database_address())
    try:
        rows = _rows(database)
    except DatabaseError:
        rows = []
    finally:
        database.dispose()
    all_expected = _report(samples, rows, settings, console)
    sheet = _sheet(samples, rows, settings)
    console.print(escape(f"Derivatives: {settings.outbox_path}"))
    if sheet is not None:
        console.print(escape(f"Contact sheet: {sheet}"))
    console.print(escape(f"Finished in {seconds:.0f} s. Log of the station: {log}"))
    if not all_expected or station.returncode != 0:
        console.print("[bold red]Not every file has the expected result.[/]")
        return Exit.INCOMPLETE
    return Exit.OK


def _fresh_home(into: Path) -> Settings:
    home = into.absolute()
    if home.exists() and any(home.iterdir()) and not (home / _MARK).exists():
        raise HomeError(
            reason=f"{home} is not empty and holds no earlier demo.",
            remedy="Choose another folder with --into.",
        )
    if home.exists():
        if is_station_running(load_settings(home=home)):
            raise HomeError(reason=f"A station is running in {home}.", remedy="Stop it first.")
        shutil.rmtree(home)
    home.mkdir(parents=True)
    (home / _MARK).touch()
    (home / FILE_NAME).write_text("settle_seconds = 1.0\nmin_free_bytes = 50_000_000\n", encoding="utf-8")
    settings = load_settings(home=home)
    settings.inbox_path.mkdir()
    settings.log_path.mkdir()
    return settings


def _follow(
    station: "subprocess.Popen[bytes]", settings: Settings, count: int, console: PrintableConsole
) -> None:
    database = open_database(settings.database_address())
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    try:
        with Progress(*columns, console=console, transient=True) as progress:
            whole = progress.add_task("files", total=count)
            while station.poll() is None and time.monotonic() < deadline:
                with contextlib.suppress(DatabaseError):  # the station is still creating it
                    progress.update(whole, completed=sum(row.state in _ENDED for row in _rows(database)))
                    progress.update(whole, description=_running_job(database))
                time.sleep(_POLL_SECONDS)
    finally:
        database.dispose()


def _running_job(database: Database) -> str:
    with database.read() as s:
        now = running_jobs(s)
    if not now:
        return "files"
    job = now[0]
    return f"{job.display}: {job.stage} {100 * job.done // max(1, job.total)} %"


def _stop(station: "subprocess.Popen[bytes]") -> None:
    if station.poll() is None:
        station.send_signal(signal.SIGTERM)
        try:
            station.wait(60)
        except subprocess.TimeoutExpired:
            station.kill()
            station.wait()


def _rows(database: Database) -> list[FileRow]:
    with database.read() as s:
        return list(list_files(s))


def _report(
    samples: Sequence[Sample], rows: list[FileRow], settings: Settings, console: PrintableConsole
) -> bool:
    """Print the table; return whether every file has the expected result."""
    found = {row.path: row for row in rows}
    table = Table("", "file", "state", "s", Column("output or reason", overflow="fold"), box=box.SIMPLE)
    all_expected = True
    for sample in samples:
        row = found.get(os.fsencode(sample.path))
        as_expected = row is not None and _as_expected(sample, row, settings)
        all_expected &= as_expected
        mark = "[green]✓[/]" if as_expected else "[red]✗[/]"
        if row is None:
            table.add_row(mark, display_path(os.fsencode(sample.path)), "unknown", "", "not recorded")
            continue
        seconds = f"{row.seconds:.1f}" if row.seconds is not None else ""
        table.add_row(
            mark,
            escape(row.display),
            row.state.value,
            seconds,
            escape(row.derivative_display or row.reason or ""),
        )
    console.print(table)
    return all_expected


def _as_expected(sample: Sample, row: FileRow, settings: Settings) -> bool:
    if sample.problem is not None:
        return row.state is FileState.QUARANTINED and row.code == sample.problem
    return row.state is FileState.DONE and _output(row, settings).is_file()


def _output(row: FileRow, settings: Settings) -> Path:
    return settings.outbox_path / os.fsdecode(row.derivative_path or b"")


def _sheet(samples: Sequence[Sample], rows: list[FileRow], settings: Settings) -> Path | None:
    done = {row.path: row for row in rows if row.state is FileState.DONE}
    pairs = [
        (row.display, settings.inbox_path / sample.path, _output(row, settings))
        for sample in samples
        if sample.problem is None and (row := done.get(os.fsencode(sample.path))) is not None
    ]
    if not pairs:
        return None
    sheet = settings.home / "before-after.png"
    contact_sheet(pairs, sheet)
    return sheet
