"""Errors of the record, each with a stable code, a reason and a remedy.

::

    DatabaseError
    ├── UnusableLocation        the SQLite file is on a network file system
    ├── UnsupportedDatabase     neither SQLite nor PostgreSQL
    ├── DatabaseUnavailable     no connection, locked too long, disk full: try again later
    │   └── Deadlock            the server rolled this transaction back so that another could continue
    ├── SchemaOutOfDate         the tables are those of another release
    ├── LeaseLost               the caller no longer holds the job and must discard its work
    ├── UnknownJob
    ├── UnknownScan
    ├── UnknownRecipe
    ├── RecipeConflict          one fingerprint, or one model name and checksum, with two contents
    ├── DerivativeExists        the path of a derivative is taken by another one
    ├── BrokenSidecar           a sidecar with content that cannot be recorded
    ├── EmptySelection          no condition was given, and not `all` either
    └── AmbiguousSelector       a checksum prefix of more than one scan

The trees of `restoration.errors` and `worker.errors` have the same shape.
"""

from pathlib import Path
from typing import ClassVar, Final

_LONGEST_REASON: Final = 300


class DatabaseError(Exception):
    """A failure with a stable `code` (kebab-case), a `reason`, a `remedy` and, where known, the `path`."""

    code: ClassVar[str] = "database"

    def __init__(self, *, reason: str, remedy: str, path: Path | str | None = None) -> None:
        super().__init__(f"{reason}; {remedy}")
        self.reason = reason
        self.remedy = remedy
        self.path = None if path is None else Path(path)

    def __reduce__(self) -> tuple[object, ...]:
        """Make the error picklable, for its way from a worker process to the parent."""
        return _rebuild, (type(self), self.reason, self.remedy, self.path)


def _rebuild(kind: type[DatabaseError], reason: str, remedy: str, path: Path | None) -> DatabaseError:
    return kind(reason=reason, remedy=remedy, path=path)


class UnusableLocation(DatabaseError):
    """SQLite on a network file system, where its locks are unreliable."""

    code = "database-location"


class UnsupportedDatabase(DatabaseError):
    """A database address that is neither SQLite nor PostgreSQL."""

    code = "database-unsupported"


class DatabaseUnavailable(DatabaseError):
    """The database could not be reached or could not write; the transaction was rolled back."""

    code = "database-unavailable"


class Deadlock(DatabaseUnavailable):
    """Two transactions waited for each other and this one was rolled back; `Database.run` repeats it."""

    code = "database-deadlock"


class SchemaOutOfDate(DatabaseError):
    """The tables are older or newer than this release expects."""

    code = "database-schema"


class LeaseLost(DatabaseError):
    """Another worker holds the job, or it was ended by others; nothing was recorded."""

    code = "lease-lost"


class UnknownJob(DatabaseError):
    """No job has this id."""

    code = "unknown-job"


class UnknownScan(DatabaseError):
    """No scan has this id."""

    code = "unknown-scan"


class UnknownRecipe(DatabaseError):
    """No recipe has this id."""

    code = "unknown-recipe"


class RecipeConflict(DatabaseError):
    """The fingerprint is on record for another recipe."""

    code = "recipe-conflict"


class DerivativeExists(DatabaseError):
    """The path of a derivative is taken by another one."""

    code = "derivative-exists"


class BrokenSidecar(DatabaseError):
    """A sidecar that is damaged, or holds values that no record could have written.

    The reason may quote the file: characters that are not printable are escaped, long text is cut.
    """

    code = "broken-sidecar"

    def __init__(self, *, reason: str, remedy: str, path: Path | str | None = None) -> None:
        text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in reason[:_LONGEST_REASON])
        cut = text if len(reason) <= _LONGEST_REASON else f"{text}..."
        super().__init__(reason=cut, remedy=remedy, path=path)


class EmptySelection(DatabaseError):
    """A command over files that selects no files."""

    code = "empty-selection"


class AmbiguousSelector(DatabaseError):
    """A checksum prefix of more than one scan."""

    code = "ambiguous-selector"
