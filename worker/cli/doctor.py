"""`saek doctor`: check the installation and the station."""

import contextlib

import typer
from rich.text import Text

from worker.cli.context import settings_and_logs
from worker.cli.options import Json
from worker.console import as_sentence, err, jsonable, out, table, write_json
from worker.exits import Exit


def doctor(json: Json = False) -> None:
    """Check the installation and the station, with a remedy for each problem."""
    from worker.doctor import State, examine
    from worker.parts.wait_reporter import waiting_parts_and_jobs

    settings = settings_and_logs()
    busy = contextlib.nullcontext() if json else err().status("Checking the station", spinner="line")
    with busy:
        checks = list(examine(settings))
    fit = all(check.state is not State.FAILED for check in checks)
    if json:
        parts, jobs = waiting_parts_and_jobs(settings)
        waiting = {"parts": jsonable(parts, {}), "jobs": jsonable(jobs, {})}
        write_json({"ok": fit, "checks": jsonable(checks, {}), "waiting": waiting})
    else:
        styles = {State.OK: "green", State.WARNING: "yellow", State.FAILED: "bold red"}
        made = table("check", "", "found", "remedy")
        for check in checks:
            made.add_row(
                check.name,
                Text(check.state, style=styles[check.state]),
                check.found,
                as_sentence(check.remedy),
            )
        out().print(made)
    if not fit:
        raise typer.Exit(Exit.INCOMPLETE)
