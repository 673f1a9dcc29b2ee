import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import typer

from worker.cli.entry import app
from worker.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def command_fault() -> Callable[[Sequence[str]], str | None]:
    """Tells what the real command line would refuse in the words that follow `saek`; runs nothing."""
    commands = typer.main.get_command(app)

    def fault(words: Sequence[str]) -> str | None:
        command, left = commands, list(words)
        try:
            while hasattr(command, "commands"):
                _, left, _ = command.make_parser(command.context_class(command)).parse_args(left)
                if not left and command.invoke_without_command:
                    return None
                if not left or left[0] not in command.commands:
                    return f"there is no command: saek {' '.join(words)}"
                command = command.commands[left.pop(0)]
            command.make_context(command.name, left)
        except typer.TyperException as error:
            return f"saek {' '.join(words)}: {error}"
        return None

    return fault


@pytest.fixture(scope="session")
def unknown_settings() -> Callable[[str], list[str]]:
    """Returns the SAEK_* names in a text that are no settings; SAEK_TEST_* belongs to the tests."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}

    def unknown(text: str) -> list[str]:
        return sorted(set(re.findall(r"\bSAEK_(?!TEST_)[A-Z_]+[A-Z]", text)) - known)

    return unknown
