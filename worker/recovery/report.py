"""The report of a recovery: counts, and the files that could not be used."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from db.catalog import AddedRows

MAX_FINDINGS: Final = 1000
"""Number of findings that the report keeps; the listener gets all of them."""


@dataclass(frozen=True, slots=True)
class UnusableFile:
    """A file that could not be used; `facts` are what its own metadata say of its origin."""

    display: str
    reason: str
    remedy: str
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class RecoveryReport:
    """The counts of a recovery; `known` were on record already, `findings` are the first of `troubles`."""

    read: int = 0
    known: int = 0
    entered: AddedRows = field(default_factory=AddedRows)
    written: int = 0
    troubles: int = 0
    findings: list[UnusableFile] = field(default_factory=list)


RecoveryListener = Callable[[RecoveryReport, UnusableFile | None], None]
"""Called after each file with the report so far, and with the file if it could not be used."""


class RecoveryLog:
    """Fills the report and calls the listener."""

    def __init__(self, listener: RecoveryListener) -> None:
        self.report = RecoveryReport()
        self._listener = listener

    def step(self) -> None:
        """Report progress."""
        self._listener(self.report, None)

    def unusable(self, display: str, reason: str, remedy: str, facts: dict[str, str] | None = None) -> None:
        """Report a file that could not be used."""
        finding = UnusableFile(display, reason, remedy, facts or {})
        self.report.troubles += 1
        if len(self.report.findings) < MAX_FINDINGS:
            self.report.findings.append(finding)
        self._listener(self.report, finding)
