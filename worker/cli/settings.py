"""`saek settings`: every setting with its value and its source."""

import os
import tomllib
from typing import Any

from pydantic import SecretStr
from rich.text import Text

from worker.addresses import MASK, masked
from worker.cli.context import settings_and_logs
from worker.cli.options import Json
from worker.console import out, table, write_json
from worker.settings import FILE_NAME, PREFIX, Settings


def settings(json: Json = False) -> None:
    """Show every setting with its value and its source; passwords are hidden."""
    current = settings_and_logs()
    file = current.home / FILE_NAME
    in_file = tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    in_environment = {variable.upper() for variable in os.environ}
    facts: list[dict[str, Any]] = []
    for name, field in Settings.model_fields.items():
        variable = PREFIX + name.upper()
        source = "environment" if variable in in_environment else "file" if name in in_file else "default"
        facts.append(
            {
                "name": name,
                "variable": variable,
                "value": _effective(name, current),
                "source": source,
                "description": field.description,
            }
        )
    if json:
        write_json({"settings": facts})
        return
    made = table("setting", "value", "from", "description")
    for fact in facts:
        value = Text("") if fact["value"] is None else Text(str(fact["value"]))
        made.add_row(fact["variable"], value, fact["source"], fact["description"])
    out().print(made)


def _effective(name: str, current: Settings) -> str | int | float | None:
    """Return the value in effect, with defaults that follow from the home filled in."""
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
