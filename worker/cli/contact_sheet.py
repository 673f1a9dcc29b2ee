"""`saek contact-sheet`: masters and derivatives side by side on one picture."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.context import open_record, roots, settings_and_logs
from worker.cli.options import All, Collections, Files, Json, Since, States, Until
from worker.cli.selection import Filters, selection
from worker.console import out, write_json
from worker.errors import NothingFound
from worker.formatting import count
from worker.printable import printable
from worker.settings import Settings

if TYPE_CHECKING:
    from db.catalog import FileRow
    from db.core import Database


def contact_sheet(
    *,
    files: Files = None,
    collection: Collections = None,
    state: States = None,
    since: Since = None,
    until: Until = None,
    everything: All = False,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="OUT", help="PNG file to write.", show_default=False),
    ],
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of files to show.")] = 24,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
    json: Json = False,
) -> None:
    """Draw masters and their latest derivatives side by side on one PNG."""
    from restoration import contact_sheet as draw

    settings = settings_and_logs()
    _refuse(output, settings, force=force)
    filters = Filters(collection or (), state or (), since, until, None, everything)
    with open_record(settings) as database:
        rows = _done(database, settings, files or [], filters)
    if not rows:
        raise NothingFound(
            reason="None of the chosen files has a derivative yet.",
            remedy="`saek status --state done` lists the files that have one.",
        )
    draw([_pair(row, settings) for row in rows[:limit]], output)
    if json:
        write_json(
            {"output": str(output), "files": [row.sighting_id for row in rows[:limit]], "done": len(rows)}
        )
    else:
        out().print(f"{printable(output)}: {count(min(limit, len(rows)), 'file')} of {len(rows):,}")


def _refuse(output: Path, settings: Settings, *, force: bool) -> None:
    if output.suffix.lower() != ".png":
        raise typer.BadParameter(f"{output.name} does not end in .png")
    for name, folder in roots(settings).items():
        if output.resolve().is_relative_to(folder.resolve()):
            raise typer.BadParameter(f"{output} is in the {name}; choose another folder")
    if output.exists() and not force:
        raise typer.BadParameter(f"{output} exists; --force replaces it")


def _done(database: "Database", settings: Settings, words: list[str], filters: Filters) -> "list[FileRow]":
    from db.catalog import list_files, select_files

    with database.read() as s:
        chosen = {file.id for file in select_files(s, selection(s, words, filters, settings))}
        rows = (row for row in list_files(s) if row.derivative_path is not None)
        return [row for row in rows if row.sighting_id in chosen and not row.gone]


def _pair(row: "FileRow", settings: Settings) -> tuple[str, Path, Path]:
    from worker.storage.recorded_paths import derivative_path, master_path

    master = master_path(settings.inbox_path, row.path)
    return row.display, master, derivative_path(settings.outbox_path, row.derivative_path or b"")
