"""Which commands there are, and how the process begins and ends."""

import copy
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from worker import __version__
from worker.cli import (
    contact_sheet,
    data,
    database,
    evaluate,
    job_commands,
    models,
    recover,
    reprocess,
    restore,
    run_commands,
    status,
    study,
    train,
    upkeep,
    verify,
)
from worker.cli.error_report import report_error
from worker.cli.help_labels import label, label_values
from worker.exits import Exit
from worker.printable import printable_lines

_HELP = ["-h", "--help"]


class _Commands(TyperGroup):
    """The root of all commands: whatever leaves one of them ends as one line and an exit code.

    `--home` is taken before the command and after it.
    """

    def __init__(self, **facts: Any) -> None:
        super().__init__(**facts)
        (home,) = (option for option in self.params if option.name == "home")
        for command in self.commands.values():
            _take_too(command, home)
        label_values(self, _HELP)

    def get_params(self, ctx: Any) -> Any:
        parameters = super().get_params(ctx)
        label(parameters)  # those of completion are added late
        return parameters

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except typer.TyperException as error:  # it may name files; Typer shows it as it is
            error.message = printable_lines(error.message.replace("Value error, ", "", 1))
            raise
        except (typer.Exit, typer.Abort):
            raise
        except BrokenPipeError:
            _let_go_of_stdout()
            raise typer.Exit(Exit.OK) from None
        except Exception as error:
            raise typer.Exit(report_error(error)) from error


app = typer.Typer(
    name="saek",
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": _HELP},
)


def _take_too(command: Any, option: Any) -> None:
    """Have a command, and all below it, take an option of the root as well; the last one said holds."""
    also = copy.copy(option)
    also.expose_value = False  # its callback has seen to it
    command.params.append(also)
    for inner in getattr(command, "commands", {}).values():
        _take_too(inner, option)


def _enter(home: Path | None) -> Path | None:
    """Work in this home; a process that is started from here does too."""
    if home is not None:
        os.environ["SAEK_HOME"] = str(home.expanduser().absolute())
    return home


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"saek {__version__}")
        raise typer.Exit


@app.callback()
def saek(
    home: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The station's home.",
            show_default="SAEK_HOME, else ~/saek",
            file_okay=False,
            callback=_enter,
        ),
    ] = None,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell the version and end."),
    ] = False,
) -> None:
    """Color scanned monochrome photographs and keep the record of what was made.

    Drop scans into the inbox of a station (`saek station`), look on (`saek status`), or restore single files
    (`saek restore`). Every command takes its settings from SAEK_* variables and from saek.toml in the home.
    """


_PANELS: dict[str, dict[str, Callable[..., None]]] = {
    "Run": {
        "station": run_commands.station,
        "demo": run_commands.demo,
        "broker": run_commands.broker,
        "ingest": run_commands.ingest,
        "dispatch": run_commands.dispatch,
        "worker": run_commands.worker,
    },
    "Look": {
        "status": status.status,
        "doctor": upkeep.doctor,
        "verify": verify.verify,
        "settings": upkeep.settings,
    },
    "Order": {
        "reprocess": reprocess.reprocess,
        "retry": job_commands.retry,
        "cancel": job_commands.cancel,
        "pause": job_commands.pause,
        "resume": job_commands.resume,
    },
    "Make": {
        "restore": restore.restore,
        "contact-sheet": contact_sheet.contact_sheet,
        "train": train.train,
        "evaluate": evaluate.evaluate,
        "study": study.study,
    },
}
for _panel, _commands in _PANELS.items():
    for _name, _command in _commands.items():
        app.command(_name, rich_help_panel=_panel)(_command)
app.add_typer(database.app, name="db", rich_help_panel="Run")
app.add_typer(recover.app, name="recover", rich_help_panel="Order")
app.add_typer(data.app, name="data", rich_help_panel="Make")
app.add_typer(models.app, name="models", rich_help_panel="Look")


def main() -> NoReturn:
    """Run the command line; the process ends with one of `worker.exits.Exit`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name must never be what a command dies of
            stream.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="saek")
    except SystemExit as end:
        code = end.code
    except KeyboardInterrupt:
        code = Exit.INTERRUPTED
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _let_go_of_stdout()
    sys.exit(code)


def _let_go_of_stdout() -> None:
    """Have the interpreter's last flush go nowhere: the reader of the pipe has had enough."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
