"""The command tree and the entry point of the process."""

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
    doctor,
    evaluate,
    job_commands,
    models,
    recover,
    reprocess,
    restore,
    run_commands,
    settings,
    status,
    study,
    train,
    verify,
)
from worker.cli.error_report import report_error
from worker.cli.help_labels import label, label_values
from worker.exits import Exit
from worker.printable import printable_lines

_HELP = ["-h", "--help"]


class _Commands(TyperGroup):
    """The root command group: turns every error into one line and an exit code.

    `--home` is accepted before or after a command.
    """

    def __init__(self, **facts: Any) -> None:
        super().__init__(**facts)
        (home,) = (option for option in self.params if option.name == "home")
        for command in self.commands.values():
            _add_option(command, home)
        label_values(self, _HELP)

    def get_params(self, ctx: Any) -> Any:
        parameters = super().get_params(ctx)
        label(parameters)  # the completion options are added late
        return parameters

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except typer.TyperException as error:  # it may name files, and Typer prints it unchanged
            error.message = printable_lines(error.message.replace("Value error, ", "", 1))
            raise
        except (typer.Exit, typer.Abort):
            raise
        except BrokenPipeError:
            _discard_stdout()
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


def _add_option(command: Any, option: Any) -> None:
    """Add an option of the root to a command and its subcommands; the last value given wins."""
    also = copy.copy(option)
    also.expose_value = False  # its callback has applied it
    command.params.append(also)
    for inner in getattr(command, "commands", {}).values():
        _add_option(inner, option)


def _set_home(home: Path | None) -> Path | None:
    """Use this home here and in child processes."""
    if home is not None:
        os.environ["SAEK_HOME"] = str(home.expanduser().absolute())
    return home


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"saek {__version__}")
        raise typer.Exit


@app.callback()
def saek(
    home: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Home folder of the station.",
            show_default="SAEK_HOME, else ~/saek",
            file_okay=False,
            callback=_set_home,
        ),
    ] = None,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Color scanned monochrome photographs and keep the record of what was made.

    Drop scans into the inbox of a station (`saek station`) and follow them (`saek status`), or restore single
    files (`saek restore`). Settings come from SAEK_* variables and from saek.toml in the home.
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
    "Inspect": {
        "status": status.status,
        "doctor": doctor.doctor,
        "verify": verify.verify,
        "settings": settings.settings,
    },
    "Control": {
        "reprocess": reprocess.reprocess,
        "retry": job_commands.retry,
        "cancel": job_commands.cancel,
        "pause": job_commands.pause,
        "resume": job_commands.resume,
    },
    "Create": {
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
app.add_typer(recover.app, name="recover", rich_help_panel="Control")
app.add_typer(data.app, name="data", rich_help_panel="Create")
app.add_typer(models.app, name="models", rich_help_panel="Inspect")


def main() -> NoReturn:
    """Run the command line and exit with one of `worker.exits.Exit`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a file name must never make a command fail
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
        _discard_stdout()
    sys.exit(code)


def _discard_stdout() -> None:
    """Send the interpreter's last flush to /dev/null: the reader has closed the pipe."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
