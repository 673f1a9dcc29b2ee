"""Error message and exit code of a failed command."""

import sys
from types import ModuleType

import structlog

from worker.console import print_problem
from worker.errors import WorkerError
from worker.exits import Exit
from worker.printable import printable


def report_error(error: Exception) -> Exit:
    """Print reason and remedy in one line; return the exit code.

    The traceback of an internal error is logged first.
    """
    code = exit_code(error)
    reason, remedy = getattr(error, "reason", None), getattr(error, "remedy", None)
    if code is Exit.INTERNAL:
        structlog.get_logger("saek").error("internal error", exc_info=error)
    if reason is None or remedy is None:
        print_problem(
            f"Internal error: {type(error).__name__}: {error}",
            "The traceback is in the log; please report it",
        )
        return code
    path = getattr(error, "path", None)
    print_problem(reason if path is None else f"{printable(path)}: {reason}", remedy)
    return code


def exit_code(error: Exception) -> Exit:
    """Return the exit code of an error of `worker`, `restoration` or `db`; INTERNAL for any other."""
    if isinstance(error, WorkerError):
        return error.exit_code
    return _restoration_code(error) or _record_code(error) or Exit.INTERNAL


def _restoration_code(error: Exception) -> Exit | None:
    errors, training = _loaded("restoration.errors"), _loaded("restoration.training.recipe")
    if errors is None:
        return None
    if training is not None and isinstance(error, training.TrainingError):
        return Exit.INCOMPLETE
    codes = (
        (errors.MasterError, Exit.MASTER),
        (errors.ReaderFailed, Exit.MASTER),
        (errors.ModelError, Exit.MODEL),
        (errors.Transient, Exit.RETRY),
        (errors.OutputExists, Exit.INCOMPLETE),
    )
    return next((code for kind, code in codes if isinstance(error, kind)), None)


def _record_code(error: Exception) -> Exit | None:
    errors = _loaded("db.errors")
    if errors is None:
        return None
    codes = (
        (errors.DatabaseUnavailable, Exit.DATABASE),
        (errors.SchemaOutOfDate, Exit.DATABASE),
        (errors.UnusableLocation, Exit.DATABASE),
        (errors.UnsupportedDatabase, Exit.SETTINGS),
        (errors.UnknownJob, Exit.NOT_FOUND),
        (errors.UnknownScan, Exit.NOT_FOUND),
        (errors.UnknownRecipe, Exit.NOT_FOUND),
        (errors.EmptySelection, Exit.USAGE),
        (errors.AmbiguousSelector, Exit.USAGE),
        (errors.RecipeConflict, Exit.MODEL),
    )
    return next((code for kind, code in codes if isinstance(error, kind)), None)


def _loaded(name: str) -> ModuleType | None:
    """Return a module if it is loaded; one that is not cannot have raised anything."""
    return sys.modules.get(name)
