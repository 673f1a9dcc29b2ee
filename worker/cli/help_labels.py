"""Labels of option and argument values in `--help`."""

from collections.abc import Iterable
from functools import partial
from typing import Any, Final

from typer import Context

_SHORT: Final = {"int": "N", "float": "X", "str": "TEXT", "Path": "PATH"}


def label_values(command: Any, help_names: list[str]) -> None:
    """Label the values of a command and its subcommands for users: flags get none, others a short word.

    Typer would show Python types: `<bool>` beside a flag, `<list[str]>` beside an argument.
    """
    label(command.get_params(Context(command, help_option_names=help_names)))
    for inner in getattr(command, "commands", {}).values():
        label_values(inner, help_names)


def label(parameters: Iterable[Any]) -> None:
    """Set the label of each option and argument."""
    for parameter in parameters:
        parameter.display_type_rich = partial(_value_label, parameter)


def _value_label(parameter: Any, ctx: Any) -> str:
    """Return the label of an option's value; empty for a flag and for an argument."""
    if parameter.param_type_name == "argument" or parameter.is_flag:
        return ""
    if parameter.metavar is not None:
        return str(parameter.metavar)
    kind = str(parameter.display_type(ctx)).strip("<>").removesuffix(" range")
    if kind.startswith("list["):
        kind = kind.removeprefix("list[").removesuffix("]")
    return _SHORT.get(kind, kind)
