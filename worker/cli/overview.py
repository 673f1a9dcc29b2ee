"""Overview of the work on one screen."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from db.catalog import SurveyRecord
from db.reports import Overview, RunningJob, WaitingJobs
from db.vocabulary import Basis, FileState, JobState, Lane
from worker.console import as_sentence, table
from worker.formatting import count, duration, megapixels, moment
from worker.parts.part_exits import PartExits
from worker.parts.wait_reporter import WaitingPart
from worker.printable import printable

STYLES: Mapping[FileState, str] = {
    FileState.DONE: "green",
    FileState.RUNNING: "cyan",
    FileState.QUEUED: "blue",
    FileState.QUARANTINED: "yellow",
    FileState.FAILED: "red",
    FileState.CANCELLED: "magenta",
    FileState.REGISTERED: "dim",
    FileState.GONE: "dim",
}
_SHOWN_COLLECTIONS = 12
_SHOWN_RUNNING = 24
_SHOWN_REFUSED = 3
_BAR = 16


def overview_screen(
    view: Overview,
    work: Sequence[RunningJob],
    waits: Sequence[WaitingPart],
    home: Path,
    station: bool | None,
    *,
    ends: Sequence[PartExits] = (),
) -> RenderableType:
    """Return the overview; `station` is whether one runs here, None if the parts run separately.

    `waits` and `ends` are of the parts on this host.
    """
    failing = [one.part for one in ends if one.failing]
    parts: list[RenderableType] = [_head(view, home, station, failing), Text(), _facts(view, waits, ends)]
    if work:
        parts += [Text(), _running(work, view.at)]
    if set(view.collections) - {""}:
        parts += [Text(), _collections(view)]
    return Group(*parts)


def _head(view: Overview, home: Path, station: bool | None, failing: Sequence[str]) -> Text:
    head = Text.assemble(("Saek", "bold"), f"  {home}  ", (moment(view.at), "dim"))
    if failing:
        verb = "keeps" if len(failing) == 1 else "keep"
        head.append(f"  the station does not work: {' and '.join(failing)} {verb} exiting", style="bold red")
    elif station is not None:
        head.append(
            "  the station runs" if station else "  no station runs", style="green" if station else "yellow"
        )
    return head


def _facts(view: Overview, waits: Sequence[WaitingPart], ends: Sequence[PartExits]) -> Table:
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim")
    facts.add_column()
    for end in ends:
        words = f"{end.part}, {count(end.times, 'time')} since {moment(end.since)}, last by {end.summary}"
        facts.add_row("Exited", Text(printable(words), style="red" if end.failing else "yellow"))
    facts.add_row("Files", _states(view.files) or Text("none yet: drop scans into the inbox"))
    if also := _also(view.also):
        facts.add_row("", also)
    for title, found in _inbox_rows(view.survey):
        facts.add_row(title, found)
    facts.add_row("Queue", _queue(view))
    if (basis := _basis(view)) is not None:
        facts.add_row("Counted", basis)
    for pause in view.paused:
        lane = "both lanes" if pause.lane is None else f"the {pause.lane} lane"
        facts.add_row("Paused", Text(f"{lane}, since {moment(pause.since)}, by {pause.by}", style="yellow"))
    for waiting in view.waiting:
        if waiting.reason is not None:
            facts.add_row("Waiting", Text(_waiting_text(waiting), style="yellow"))
    shown = {waiting.code for waiting in view.waiting}
    for part in waits:
        if part.code not in shown:
            cause = f"{as_sentence(part.reason)} {as_sentence(part.remedy)}"
            words = f"{part.part}, since {moment(part.since)}: {cause}"
            facts.add_row("Waiting", Text(words, style="yellow"))
    facts.add_row("Speed", _speed(view))
    if (left := _time_left(view)) is not None:
        facts.add_row("Time left", left)
    return facts


def _inbox_rows(survey: SurveyRecord | None) -> Iterator[tuple[str, Text]]:
    """Yield titles and text about the last scan of the inbox."""
    if survey is None:
        return
    if survey.unknown or survey.sidecars or survey.conflict_copies:
        yield "Inbox", _inbox(survey)
    for refused in survey.refused[:_SHOWN_REFUSED]:
        words = f"{printable(refused.display)}: {as_sentence(refused.reason)} {as_sentence(refused.remedy)}"
        yield "Not read", Text(words, style="yellow")
    if survey.refused_folders > _SHOWN_REFUSED:
        rest = count(survey.refused_folders - _SHOWN_REFUSED, "more folder")
        yield "Not read", Text(f"and {rest}; --json lists all", style="yellow")


def _inbox(survey: SurveyRecord) -> Text:
    """Return the counts of unrecorded files, sidecars and conflict copies."""
    text = Text()
    if survey.unknown:
        text.append(f"{count(survey.unknown, 'file')} not yet recorded   ", style=STYLES[FileState.QUEUED])
    if survey.sidecars:
        text.append(f"{count(survey.sidecars, 'sidecar')} ignored   ", style="dim")
    if survey.conflict_copies:
        names = ", ".join(map(printable, survey.conflicts[:_SHOWN_REFUSED]))
        more = ", ..." if survey.conflict_copies > _SHOWN_REFUSED else ""
        copies = count(survey.conflict_copies, "conflict copy", "conflict copies")
        text.append(f"{copies} of a sync tool: {names}{more}", style="yellow")
    text.rstrip()
    return text


def _basis(view: Overview) -> str | None:
    """Return how old the counts are, or why they took long; None if they are live."""
    match view.basis:
        case Basis.LIVE:
            return None
        case Basis.CACHED:
            age = duration((view.at - view.counted_at).total_seconds())
            return f"{age} ago; `saek status --exact` counts now"
        case Basis.NOT_CACHED:
            return "now, which is slow with so many files: no dispatcher has cached counts yet"


def _waiting_text(waiting: WaitingJobs) -> str:
    """Return how many jobs wait, since when, and reason and remedy."""
    words = count(waiting.jobs, "job")
    if waiting.since is not None:
        words += f", since {moment(waiting.since)}"
    words += f": {as_sentence(waiting.reason or '')}"
    return f"{words} {as_sentence(waiting.remedy)}" if waiting.remedy else words


def _states(states: Mapping[FileState, int]) -> Text:
    counts = [(state, states.get(state, 0)) for state in FileState if states.get(state, 0)]
    return Text("   ").join(Text(f"{state} {number:,}", style=STYLES[state]) for state, number in counts)


def _also(also: Mapping[JobState, int]) -> Text | None:
    """Return counts of failed or cancelled jobs of files whose own state is another one."""
    counts = [(state, number) for state, number in also.items() if number]
    if not counts:
        return None
    words = Text("also ", style="dim")
    words.append_text(
        Text("   ").join(
            Text(f"{state} {number:,}", style=STYLES[FileState(state.value)]) for state, number in counts
        )
    )
    words.append(
        f"   (further jobs of files counted above; `saek status --state {counts[0][0]}` lists them)",
        style="dim",
    )
    return words


def _queue(view: Overview) -> str:
    lanes = ", ".join(f"{lane} {view.jobs[lane][JobState.QUEUED]:,}" for lane in Lane)
    if view.oldest_queued_at is None:
        return lanes
    return f"{lanes}; the oldest has waited {duration((view.at - view.oldest_queued_at).total_seconds())}"


def _speed(view: Overview) -> str:
    done = view.throughput
    window = duration(done.window.total_seconds())
    if not done.jobs:
        return f"no job finished in the last {window}"
    hours = done.worked / dt.timedelta(hours=1)
    rate = f"{done.jobs / hours:,.0f} files and {megapixels(done.megapixels * 1e6 / hours)} per hour"
    worked = duration(done.worked.total_seconds())
    return f"{rate} ({count(done.jobs, 'file')} in {worked} of work, within the last {window})"


def _time_left(view: Overview) -> str | None:
    """Return the estimated remaining time; None if nothing is left or nothing is known."""
    waiting = sum(view.jobs[lane][state] for lane in Lane for state in (JobState.QUEUED, JobState.RUNNING))
    if view.held and view.held == waiting:
        return f"paused: {count(view.held, 'job waits', 'jobs wait')} for `saek resume`"
    if not view.eta:
        return None
    words = f"about {duration(view.eta.total_seconds())}"
    return f"{words}, without the {count(view.held, 'job')} of paused lanes" if view.held else words


def _running(work: Sequence[RunningJob], now: dt.datetime) -> Table:
    made = table(
        "job", "file", "lane", "try", "stage", "", "%", "for", title="Running now", right=("job", "try", "%")
    )
    for job in work[:_SHOWN_RUNNING]:
        share = 100 * job.done / job.total if job.total else 0.0
        stage = "cancelling" if job.cancel_requested else job.stage or "starting"
        made.add_row(
            str(job.job_id),
            printable(job.display),
            job.lane,
            str(job.attempt),
            stage,
            ProgressBar(total=100, completed=share, width=_BAR),
            f"{share:.0f}",
            duration((now - job.started_at).total_seconds()),
        )
    if len(work) > _SHOWN_RUNNING:
        made.caption = f"and {count(len(work) - _SHOWN_RUNNING, 'more', 'more')}; --json lists all"
        made.caption_justify = "left"
    return made


def _collections(view: Overview) -> Table:
    used = [state for state in FileState if view.files.get(state, 0)]
    ended = [state for state in view.also if view.also[state]]
    numbers = (*used, *(f"also {state}" for state in ended))
    made = table("collection", *numbers, title="Collections", right=numbers)
    ranked = sorted(view.collections.items(), key=lambda item: (-sum(item[1].values()), item[0]))
    for name, states in ranked[:_SHOWN_COLLECTIONS]:
        others = view.collections_also.get(name, {})
        made.add_row(
            printable(name) or "(top of the inbox)",
            *(f"{states.get(state, 0):,}" for state in used),
            *(f"{others.get(state, 0):,}" for state in ended),
        )
    if len(ranked) > _SHOWN_COLLECTIONS:
        rest = len(ranked) - _SHOWN_COLLECTIONS
        made.add_row(f"and {count(rest, 'more', 'more')}; --json lists all", *("" for _ in numbers))
    return made
