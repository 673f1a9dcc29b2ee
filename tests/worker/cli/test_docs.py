import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from worker.cli.entry import app
from worker.exits import Exit
from worker.settings import Settings

DOCS = Path(__file__).parents[3] / "docs"
COMMANDS = (DOCS / "commands.md").read_text(encoding="utf-8")
SETTINGS = (DOCS / "settings.md").read_text(encoding="utf-8")
FOR_ALL = COMMANDS.partition("## For all commands")[2].partition("\n## ")[0]


def _commands(command: Any = None, name: str = "saek") -> Iterator[tuple[str, Any]]:
    command = command or typer.main.get_command(app)
    if not hasattr(command, "commands"):
        yield name, command
        return
    for part, inner in command.commands.items():
        yield from _commands(inner, f"{name} {part}")


def _section(name: str) -> str:
    """Return what the docs say under the heading that names the command, alone or with others."""
    for heading, text in re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", COMMANDS, re.DOTALL | re.MULTILINE):
        if name in heading.split(", "):
            return text
    return ""


@pytest.mark.parametrize(
    ("name", "command"), list(_commands()), ids=lambda part: part if isinstance(part, str) else ""
)
def test_every_command_is_explained_with_all_its_options(name, command):
    section = _section(name)
    assert section
    options = {option for part in command.params for option in (*part.opts, *part.secondary_opts)}
    of_all = set(re.findall(r"--[a-z0-9-]+", FOR_ALL))
    missing = {o for o in options if o[:2] == "--"} - set(re.findall(r"--[a-z0-9-]+", section)) - of_all
    assert not missing


def test_options_of_all_commands_are_explained():
    options = {
        option for part in typer.main.get_command(app).params for option in part.opts if option[:2] == "--"
    }
    assert options <= set(re.findall(r"--[a-z0-9-]+", FOR_ALL))


def test_no_command_is_explained_that_does_not_exist():
    told = {
        name for line in re.findall(r"^## (saek .*)$", COMMANDS, re.MULTILINE) for name in line.split(", ")
    }
    assert told == {name for name, _ in _commands()}


@pytest.mark.parametrize("code", Exit)
def test_every_exit_code_is_explained(code):
    assert re.search(rf"^\| {code.value} \| `{code.name}` \| \S", COMMANDS, re.MULTILINE)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_explained_with_its_default(name):
    field = Settings.model_fields[name]
    default = "" if field.default is None else f"`{field.default}`"
    row = next(line for line in SETTINGS.splitlines() if line.startswith(f"| `SAEK_{name.upper()}` |"))
    _, told, _, meaning = (cell.strip() for cell in row.split("|")[1:-1])
    assert told == default
    assert meaning == field.description


def test_no_setting_is_explained_that_does_not_exist():
    told = re.findall(r"^\| `SAEK_(\w+)`", SETTINGS, re.MULTILINE)
    assert [name.lower() for name in told] == list(Settings.model_fields)


def test_links_lead_somewhere():
    for text in (COMMANDS, SETTINGS):
        for target in re.findall(r"\]\(([\w./-]+)(?:#[\w-]+)?\)", text):
            assert (DOCS / target).exists(), target
