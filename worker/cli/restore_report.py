"""Report of `saek restore`: table, JSON and exit code."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from rich.text import Text

from worker.cli.error_report import exit_code
from worker.cli.output_plan import PlannedOutput
from worker.cli.scans import FoundScans
from worker.console import as_sentence, err, jsonable, out, print_problem, table
from worker.exits import Exit
from worker.formatting import count, duration, megapixels, size
from worker.printable import printable

if TYPE_CHECKING:
    from restoration import Plan, Restoration


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result for one master: exactly one of `made`, `planned`, `skipped` and `fault` is set."""

    item: PlannedOutput
    made: "Restoration | None" = None
    planned: "Plan | None" = None
    skipped: str | None = None
    """Reason for which nothing was done."""
    fault: Exception | None = None

    @property
    def state(self) -> str:
        """`done`, `planned`, `skipped`, `refused` or `failed`."""
        if self.skipped is not None:
            return "skipped"
        if self.fault is None:
            return "done" if self.made is not None else "planned"
        return "refused" if self.code in {Exit.MASTER, Exit.INCOMPLETE} else "failed"

    @property
    def code(self) -> Exit:
        """Exit code for this master alone."""
        return Exit.OK if self.fault is None else exit_code(self.fault)


_STYLES = {
    "done": "green",
    "planned": "green",
    "skipped": "dim",
    "refused": "yellow",
    "failed": "bold red",
}


def print_outcomes(outcomes: Sequence[Outcome], found: FoundScans, *, streamed: bool) -> None:
    """Print the table; on standard error if a picture goes to standard output (`streamed`)."""
    console = err() if streamed else out()
    made = table("scan", "", "output, or reason and remedy", "size", "luma error", "took")
    for one in outcomes:
        name = "standard input" if one.item.piped else printable(one.item.master)
        state = Text(one.state, style=_STYLES[one.state])
        if one.made is not None:
            done = one.made
            took, error = duration(sum(done.seconds.values())), f"{done.luma_max_error}"
            files = "standard output" if streamed else _files(done)
            made.add_row(name, state, files, size(done.bytes), error, took)
            for note in done.metadata.noted:
                made.add_row("", Text("note", style="dim"), Text(printable(note), style="dim"), "", "", "")
        elif one.planned is not None:
            cost = f"{megapixels(one.planned.pixels)}, {count(one.planned.windows, 'window')}"
            files = f"{printable(one.item.output)} ({cost})"
            made.add_row(name, state, files, f"at most {size(one.planned.bytes_estimate)}", "", "")
        elif one.skipped is not None:
            made.add_row(name, state, f"{printable(one.item.output)} {one.skipped}", "", "", "")
        elif one.fault is not None:
            reason, remedy = _reason_and_remedy(one.fault)
            made.add_row(name, state, f"{as_sentence(reason)} {as_sentence(remedy)}", "", "", "")
    console.print(made)
    if found.sidecars:
        console.print(f"{count(found.sidecars, 'sidecar')} ignored")
    for folder, reason in found.unread:
        print_problem(
            f"{printable(folder)} could not be read completely ({reason})", "Grant permission to read it"
        )


def outcome_facts(one: Outcome) -> dict[str, Any]:
    """Return the result for one master for `--json`."""
    problem = None
    if one.fault is not None:
        reason, remedy = _reason_and_remedy(one.fault)
        problem = {"code": getattr(one.fault, "code", "internal-error"), "reason": reason, "remedy": remedy}
    return {
        "master": "-" if one.item.piped else printable(one.item.master),
        "output": printable(one.item.output),
        "state": one.state,
        "restoration": jsonable(one.made, {}),
        "plan": jsonable(one.planned, {}),
        "skipped": one.skipped,
        "problem": problem,
    }


def worst_exit(outcomes: Sequence[Outcome], found: FoundScans) -> Exit:
    """Return the exit code of the run: internal errors first, then transient causes, masters, the rest."""
    codes = {one.code for one in outcomes} | ({Exit.INCOMPLETE} if found.unread else set())
    by_severity = (Exit.INTERNAL, Exit.RETRY, Exit.MASTER, Exit.INCOMPLETE)
    return next((code for code in by_severity if code in codes), Exit.OK)


def _files(made: "Restoration") -> str:
    """Return the paths that were written, with the figures of the confidence map."""
    trust = made.confidence
    if trust is None:
        return printable(made.path)
    figures = f"confidence {trust.mean:.2f}, {trust.doubtful:.0%} of the picture below 0.5"
    return f"{printable(made.path)}\n{printable(trust.path)}: {figures}"


def _reason_and_remedy(fault: Exception) -> tuple[str, str]:
    """Return reason and remedy; the traceback of an internal error is logged."""
    reason, remedy = getattr(fault, "reason", None), getattr(fault, "remedy", None)
    if reason is not None and remedy is not None:
        return str(reason), str(remedy)
    structlog.get_logger("saek").error("internal error", exc_info=fault)
    return f"internal error ({type(fault).__name__})", "the traceback is in the log; please report it"
