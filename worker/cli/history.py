"""History of one scan on the terminal."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from db.reports import DerivativeEntry, EventEntry, JobEntry, ScanEntry, ScanHistory, SightingEntry
from db.values import Problem
from worker.cli.overview import STYLES
from worker.console import as_sentence, table
from worker.formatting import duration, moment, size
from worker.printable import printable


def history_screen(story: ScanHistory, roots: Mapping[str, Path]) -> RenderableType:
    """Return the whole history: content, files, jobs, derivatives, events."""
    chapters: list[RenderableType] = [
        *([] if story.scan is None else [_scan(story.scan)]),
        _sightings(story.sightings),
        *map(_job, story.jobs),
        *(_derivative(made, roots) for made in story.derivatives),
        _events(story.events),
    ]
    return Group(*itertools.chain.from_iterable((chapter, Text()) for chapter in chapters))


def _scan(scan: ScanEntry) -> RenderableType:
    rows: list[tuple[str, RenderableType | None]] = [
        ("sha256", scan.sha256),
        ("size", size(scan.bytes)),
        ("picture", _picture(scan)),
        ("first seen", moment(scan.first_seen_at)),
        ("quarantined", moment(scan.quarantined_at) or None),
        *_problem(scan.problem),
    ]
    return _card(f"Scan scan:{scan.id}", rows)


def _picture(scan: ScanEntry) -> str | None:
    if scan.width is None:
        return None
    mode = scan.facts.get("mode")
    facts = [scan.format, f"{scan.width} x {scan.height}", f"{scan.bit_depth} bit", mode]
    if scan.dpi:
        facts.append(f"{scan.dpi:.0f} dpi")
    if scan.orientation not in {None, 1}:
        facts.append(f"orientation {scan.orientation}")
    if scan.icc_sha256:
        facts.append("ICC profile")
    return ", ".join(str(fact) for fact in facts if fact)


def _sightings(sightings: Iterable[SightingEntry]) -> Table:
    made = table("id", "file", "state", "first seen", "last seen", title="Files", right=("id",))
    for seen in sightings:
        note = f" (replaced {moment(seen.superseded_at)})" if seen.superseded_at else ""
        note += f" (gone {moment(seen.gone_at)})" if seen.gone_at else ""
        state = (
            Text("replaced", style="dim")
            if seen.state is None
            else Text(seen.state, style=STYLES[seen.state])
        )
        made.add_row(
            str(seen.id),
            printable(seen.display) + note,
            state,
            moment(seen.first_seen_at),
            moment(seen.last_seen_at),
        )
        for name, words in _problem(seen.problem):
            made.add_row("", Text.assemble((f"{name}: ", "dim"), words), "", "", "")
    return made


def _job(job: JobEntry) -> RenderableType:
    recipe = ", ".join(f"{name} {value}" for name, value in _recipe(job.recipe))
    progress = f"{job.stage} {job.done} of {job.total}" if job.stage and job.finished_at is None else None
    rows: list[tuple[str, RenderableType | None]] = [
        ("state", job.state),
        ("lane", f"{job.lane}, requested by {job.requested_by}"),
        ("attempts", f"{job.attempts} of {job.max_attempts}"),
        ("recipe", f"{recipe} ({job.fingerprint[:12]})"),
        ("model", f"{job.model} ({job.weights_sha256[:12]})"),
        ("queued", moment(job.created_at)),
        ("started", moment(job.started_at) or None),
        ("finished", moment(job.finished_at) or None),
        ("progress", progress),
        ("worker", job.owner),
        ("waiting for", None if job.wait_reason is None else as_sentence(job.wait_reason)),
        ("not before", moment(job.not_before) or None),
        *_problem(job.problem),
    ]
    return _card(f"Job job:{job.id}", rows)


def _recipe(recipe: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name in ("preset", "strength", "warmth", "format", "pyramid", "algorithm"):
        if name in recipe:
            yield name, recipe[name]


def _derivative(made: DerivativeEntry, roots: Mapping[str, Path]) -> RenderableType:
    rows: list[tuple[str, RenderableType | None]] = [
        ("file", printable(roots.get(made.root, Path(made.root)) / made.display)),
        *(
            ("also as", printable(roots.get(link.root, Path(link.root)) / link.display))
            for link in made.links
        ),
        ("picture", f"{made.format}, {made.width} x {made.height}, {made.bit_depth} bit, {size(made.bytes)}"),
        ("luma error", f"at most {made.luma_max_error:g}, mean {made.luma_mean_error:.4g}"),
        ("seams", _seams(made.facts.get("seamlessness", {}))),
        ("sha256", made.sha256),
        ("pixels", made.pixel_sha256),
        ("weights", made.weights_sha256),
        ("made by", f"{made.software} on {made.engine} in {duration(made.seconds)}"),
        ("made", f"{moment(made.created_at)}, job:{made.job_id}"),
        ("last check", None if made.fixity is None else f"{made.fixity}, {moment(made.fixity_at)}"),
        *_metadata(made.facts.get("metadata", {})),
    ]
    return _card("Derivative", rows)


def _seams(measured: Mapping[str, Any]) -> str | None:
    """Return the seam figures; None for old derivatives without them."""
    if "consistency" not in measured:
        return None
    agreement = f"colors within {measured['consistency']:.2f} Lab units of the whole picture's"
    ratio = measured.get("seam_ratio")
    return agreement if ratio is None else f"ratio {ratio:.2f}, {agreement}"


def _metadata(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what was done with the metadata of the master."""
    for name in ("carried", "replaced", "dropped", "noted"):
        if report.get(name):
            yield name, printable("; ".join(map(str, report[name])))


def _events(events: Iterable[EventEntry]) -> Table:
    made = table("time", "event", "outcome", "by", "detail", title="Events")
    for event in events:
        agent = f"{event.agent.name} {event.agent.version[:12]}".strip()
        detail = ", ".join(
            f"{name}: {_short(value)}" for name, value in event.detail.items() if value is not None
        )
        made.add_row(moment(event.at), event.type, event.outcome, agent, detail)
    return made


def _short(value: Any) -> str:
    text = printable(str(value))
    return f"{text[:12]}..." if len(text) == 64 and text.isalnum() else text


def _problem(problem: Problem | None) -> list[tuple[str, Text]]:
    if problem is None:
        return []
    return [
        ("reason", Text(f"{as_sentence(problem.reason)} ({problem.code})", style="yellow")),
        ("remedy", Text(as_sentence(problem.remedy), style="yellow")),
    ]


def _card(title: str, rows: Iterable[tuple[str, RenderableType | None]]) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for name, value in rows:
        if value is not None:
            grid.add_row(f"  {name}", value)
    return Group(Text(title, style="bold"), grid)
