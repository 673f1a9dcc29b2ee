"""`saek doctor` and `saek settings`: whether this installation is fit to work, and how it is set."""

import contextlib
import os
import tomllib
from pathlib import Path
from typing import Any

import typer
from pydantic import SecretStr
from rich.text import Text

from worker.addresses import MASK, masked
from worker.cli.context import settings_and_logs
from worker.cli.options import Json
from worker.console import as_sentence, err, jsonable, out, table, write_json
from worker.exits import Exit
from worker.settings import FILE_NAME, PREFIX, Settings


def doctor(json: Json = False) -> None:
    """Check what a station needs, and say what to do for each thing amiss."""
    from worker.doctor import State, examine
    from worker.parts.wait_reporter import waiting_parts_and_jobs

    settings = settings_and_logs()
    busy = (
        contextlib.nullcontext() if json else err().status("Looking at what a station needs", spinner="line")
    )
    with busy:
        checks = list(examine(settings))
    fit = all(check.state is not State.FAILED for check in checks)
    if json:
        parts, jobs = waiting_parts_and_jobs(settings)
        waiting = {"parts": jsonable(parts, {}), "jobs": jsonable(jobs, {})}
        write_json({"ok": fit, "checks": jsonable(checks, {}), "waiting": waiting})
    else:
        styles = {State.OK: "green", State.WARNING: "yellow", State.FAILED: "bold red"}
        made = table("check", "", "found", "what to do")
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


def settings(json: Json = False) -> None:
    """Show every setting with its value and where it comes from; passwords are hidden."""
    found = [_told(name, settings_and_logs()) for name in Settings.model_fields]
    if json:
        write_json({"settings": found})
        return
    made = table("setting", "value", "from", "what it means")
    for fact in found:
        value = Text("") if fact["value"] is None else Text(str(fact["value"]))
        made.add_row(fact["variable"], value, fact["source"], fact["description"])
    out().print(made)


def _told(name: str, current: Settings) -> dict[str, Any]:
    return {
        "name": name,
        "variable": PREFIX + name.upper(),
        "value": _effective(name, current),
        "source": _source(name, current),
        "description": Settings.model_fields[name].description,
    }


def _effective(name: str, current: Settings) -> str | int | float | None:
    """Return the value that work goes by, a default that follows from the home included."""
    match name:
        case "inbox" | "outbox" | "models":
            return str(getattr(current, f"{name}_path"))
        case "database_url":
            return masked(current.database_address())
        case "broker_url":
            return masked(current.broker_address())
    value = getattr(current, name)
    if isinstance(value, SecretStr):
        return MASK
    return value if value is None or isinstance(value, int | float) else str(value)


def _source(name: str, current: Settings) -> str:
    if PREFIX + name.upper() in {variable.upper() for variable in os.environ}:
        return "environment"
    file = current.home / FILE_NAME
    return "file" if name in _written(file) else "default"


def _written(file: Path) -> dict[str, Any]:
    return tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
