"""What can go wrong between Saek and its record.

DatabaseError
  UnusableLocation       the SQLite file lies where SQLite cannot keep it safe
  UnsupportedDatabase    the address names neither SQLite nor PostgreSQL
  DatabaseUnavailable    no connection, locked too long, disk full: worth another try later
    Deadlock             the server gave up this transaction, so that another could go on
  SchemaOutOfDate        the tables are not those of this release
  LeaseLost              the job is no longer held by the caller, who must drop its work
  UnknownJob  UnknownScan  UnknownRecipe
  RecipeConflict         one fingerprint, or one model name and checksum, with two contents
  BrokenSidecar          a file beside a derivative that tells nothing that can be entered
  EmptySelection         nothing was chosen and `all` was not said
  AmbiguousSelector      a prefix that fits more than one scan
"""

from typing import ClassVar, Final

_LONGEST_REASON: Final = 300


class DatabaseError(Exception):
    """Any failure of the record; `reason` says what happened, `remedy` what to do about it."""

    code: ClassVar[str] = "database"

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; {remedy}")
        self.reason = reason
        self.remedy = remedy


class UnusableLocation(DatabaseError):
    """SQLite on a network file system, where its locks do not hold."""

    code = "database-location"


class UnsupportedDatabase(DatabaseError):
    """An address that names another database than SQLite or PostgreSQL."""

    code = "database-unsupported"


class DatabaseUnavailable(DatabaseError):
    """The database could not be reached or could not write just now; the transaction did not happen."""

    code = "database-unavailable"


class Deadlock(DatabaseUnavailable):
    """Two transactions waited for each other and this one was given up; `Database.run` does it again."""

    code = "database-deadlock"


class SchemaOutOfDate(DatabaseError):
    """The tables are older or newer than this release expects."""

    code = "database-schema"


class LeaseLost(DatabaseError):
    """Somebody else holds the job, or it was ended from outside; nothing was recorded."""

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
    """A fingerprint that is on record for another recipe."""

    code = "recipe-conflict"


class DerivativeExists(DatabaseError):
    """A derivative that would take the place of another one."""

    code = "derivative-exists"


class BrokenSidecar(DatabaseError):
    """A sidecar that is damaged, or tells what no record could have told.

    Its words may come from the file: what is no printable text is escaped, and what is long is cut.
    """

    code = "broken-sidecar"

    def __init__(self, reason: str, remedy: str) -> None:
        text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in reason[:_LONGEST_REASON])
        super().__init__(text if len(reason) <= _LONGEST_REASON else f"{text}...", remedy)


class EmptySelection(DatabaseError):
    """An order over files that names no files."""

    code = "empty-selection"


class AmbiguousSelector(DatabaseError):
    """A checksum prefix that fits more than one scan."""

    code = "ambiguous-selector"
