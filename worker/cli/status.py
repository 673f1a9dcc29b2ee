"""`saek status`: overview of the work, list of files, or history of one file."""

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import RenderableType
from rich.live import Live
from rich.text import Text

from db.vocabulary import FileState
from worker.cli.context import open_record, roots, settings_and_logs
from worker.cli.options import Collections, Json, States
from worker.console import as_sentence, jsonable, out, table, write_json
from worker.formatting import duration, moment
from worker.printable import printable
from worker.settings import Settings

if TYPE_CHECKING:
    from db.catalog import FileRow
    from db.core import Database
    from db.reports import Overview, RunningJob, ScanHistory
    from worker.parts.part_exits import PartExits
    from worker.parts.wait_reporter import WaitingPart

REFRESH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Question:
    """What to show: the history of one file, a list of files, or, by default, the overview."""

    selector: str | None
    states: Sequence[FileState]
    collections: Sequence[str]
    limit: int
    exact: bool


@dataclass(frozen=True, slots=True)
class _Whole:
    overview: "Overview"
    running: "Sequence[RunningJob]"
    station: bool | None
    parts: "Sequence[WaitingPart]"
    ends: "Sequence[PartExits]"


@dataclass(frozen=True, slots=True)
class _Files:
    rows: "Sequence[FileRow]"
    more: bool


def status(
    *,
    selector: Annotated[
        str | None,
        typer.Argument(
            metavar="PATH|ID",
            help="A file of the inbox or the outbox, a number from the list of files, scan:N, job:N, "
            "or a sha256 prefix.",
            show_default=False,
        ),
    ] = None,
    state: States = None,
    collection: Collections = None,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of files to list.")] = 100,
    exact: Annotated[bool, typer.Option("--exact", help="Count now, even if that takes long.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh every second until Ctrl-C.")] = False,
    json: Json = False,
) -> None:
    """Show an overview of the work, a list of files, or the history of one file."""
    if watch and json:
        raise typer.BadParameter("--watch and --json cannot be combined")
    listing = bool(state or collection)
    if exact and (selector is not None or listing):
        raise typer.BadParameter(
            "--exact is for the overview; the history of a file and the list of files are always exact"
        )
    if selector is not None and listing:
        raise typer.BadParameter("name one file, or list files with --state and --collection, not both")
    settings = settings_and_logs()
    question = _Question(selector, state or (), collection or (), limit, exact)
    with open_record(settings) as database:
        if watch:
            _watch(database, settings, question)
        answer = _answer(database, settings, question)
    if json:
        write_json(_facts(answer, settings))
    else:
        out().print(_screen(answer, settings))


def _watch(database: "Database", settings: Settings, question: _Question) -> None:
    console = out()
    with Live(console=console, auto_refresh=False, screen=console.is_terminal) as live:
        while True:
            live.update(_screen(_answer(database, settings, question), settings), refresh=True)
            time.sleep(REFRESH_SECONDS)


def _answer(database: "Database", settings: Settings, question: _Question) -> "ScanHistory | _Files | _Whole":
    from db.catalog import list_files
    from db.reports import overview, running_jobs
    from worker.cli.selection import collections, find_history
    from worker.parts.part_exits import read_part_exits
    from worker.parts.wait_reporter import waiting_parts

    with database.read() as s:
        if question.selector is not None:
            return find_history(s, question.selector, settings)
        if question.states or question.collections:
            chosen = collections(s, question.collections, settings)
            found = list_files(s, question.states, chosen, question.limit + 1)
            rows = list(itertools.islice(found, question.limit + 1))
            return _Files(rows[: question.limit], more=len(rows) > question.limit)
        whole = overview(s, exact=question.exact)
        return _Whole(
            whole, running_jobs(s), _station(settings), waiting_parts(settings), read_part_exits(settings)
        )


def _station(settings: Settings) -> bool | None:
    from worker.storage.home import is_station_running

    return is_station_running(settings) if settings.embedded_broker else None


def _screen(answer: "ScanHistory | _Files | _Whole", settings: Settings) -> RenderableType:
    from worker.cli.history import history_screen
    from worker.cli.overview import overview_screen

    match answer:
        case _Files():
            return _file_table(answer)
        case _Whole():
            return overview_screen(
                answer.overview,
                answer.running,
                answer.parts,
                settings.home,
                answer.station,
                ends=answer.ends,
            )
        case _:
            return history_screen(answer, roots(settings))


def _file_table(found: _Files) -> RenderableType:
    from worker.cli.overview import STYLES

    if not found.rows:
        return Text("No file matches.")
    made = table("id", "file", "state", "since", "took", "output, or reason and remedy", right=("id", "took"))
    for row in found.rows:
        outcome = printable(row.derivative_display or "")
        if row.reason is not None:
            outcome = f"{as_sentence(row.reason)} {as_sentence(row.remedy or '')}"
        took = "" if row.seconds is None or row.state is not FileState.DONE else duration(row.seconds)
        if row.state is not row.file_state:
            outcome = f"job:{row.job_id} of a file that is {row.file_state}. {outcome}"
        elif row.failed_job_id is not None:
            outcome = f"{outcome} (but job:{row.failed_job_id} failed)".strip()
        state = Text(row.state, style=STYLES[row.state])
        made.add_row(str(row.sighting_id), printable(row.display), state, moment(row.since), took, outcome)
    if found.more:
        made.caption = "There are more files; raise --limit to list them."
        made.caption_justify = "left"
    return made


def _facts(answer: "ScanHistory | _Files | _Whole", settings: Settings) -> dict[str, Any]:
    folders = roots(settings)
    match answer:
        case _Files():
            return {"files": jsonable(answer.rows, folders), "more": answer.more}
        case _Whole():
            facts: dict[str, Any] = jsonable(answer.overview, folders)
            return {
                "station": answer.station,
                **facts,
                "parts_waiting": jsonable(answer.parts, folders),
                "parts_ending": [{**jsonable(end, folders), "failing": end.failing} for end in answer.ends],
                "running": jsonable(answer.running, folders),
            }
        case _:
            told: dict[str, Any] = jsonable(answer, folders)
            return told
