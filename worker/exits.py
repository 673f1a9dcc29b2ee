"""Exit codes of `saek`."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every `saek` command, documented in `docs/commands.md`."""

    OK = 0
    """Everything asked for was done."""
    INCOMPLETE = 1
    """The command ran, but something needs attention: a check failed or a file did not end as it should."""
    USAGE = 2
    """The command line is not valid."""
    SETTINGS = 3
    """A setting is missing, unknown or out of range."""
    DATABASE = 4
    """The database cannot be reached, or its schema is not the one this version needs."""
    BROKER = 5
    """The message broker cannot be reached or started."""
    MASTER = 6
    """A master cannot be restored because of the file itself; the message names the remedy."""
    NOT_FOUND = 7
    """Nothing in the record matches what was asked for."""
    BUSY = 8
    """Another station already runs in this home."""
    MODEL = 9
    """A model is unknown, refused or in use, or its weights are not the recorded ones."""
    RETRY = 10
    """A transient cause (full disk, out of memory, device unavailable) stopped the work; try again."""
    INTERNAL = 70
    """An internal error; the traceback is in the log."""
    INTERRUPTED = 130
    """Stopped by Ctrl-C."""
