"""How the values of options and arguments read in `--help`."""

from collections.abc import Iterable
from functools import partial
from typing import Any, Final

from typer import Context

_SHORT: Final = {"int": "N", "float": "X", "str": "TEXT", "Path": "PATH"}


def label_values(command: Any, help_names: list[str]) -> None:
    """Have the help of a command, and of all below it, show flags bare and values by short words.

    Typer would show `<bool>` beside a flag and `<list[str]>` beside an argument, which tell a programmer
    what the value becomes but a reader nothing of what to write.
    """
    label(command.get_params(Context(command, help_option_names=help_names)))
    for inner in getattr(command, "commands", {}).values():
        label_values(inner, help_names)


def label(parameters: Iterable[Any]) -> None:
    """Have these options and arguments read so."""
    for parameter in parameters:
        parameter.display_type_rich = partial(_words, parameter)


def _words(parameter: Any, ctx: Any) -> str:
    """Return what is to be written after the option: nothing after a flag, nor beside an argument's name."""
    if parameter.param_type_name == "argument" or parameter.is_flag:
        return ""
    if parameter.metavar is not None:
        return str(parameter.metavar)
    kind = str(parameter.display_type(ctx)).strip("<>").removesuffix(" range")
    if kind.startswith("list["):
        kind = kind.removeprefix("list[").removesuffix("]")
    return _SHORT.get(kind, kind)
