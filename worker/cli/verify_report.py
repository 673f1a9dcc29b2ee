"""How the outcome of `saek verify` reads, for people and for programs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from db.audit import ChainFault, ChainVerification, CheckSummary, DueAmount, SealFacts
from db.vocabulary import Finding, Holding
from worker.console import as_sentence, jsonable, table, uri
from worker.fixity.checking import Tally
from worker.fixity.orphans import Orphans
from worker.fixity.verifying import Attention, VerifyEstimate, VerifyRequest, VerifyResult
from worker.formatting import count, duration, moment, size
from worker.printable import printable

_STYLES: Mapping[Finding, str] = {
    Finding.INTACT: "green",
    Finding.CHANGED: "bold red",
    Finding.REWRITTEN: "yellow",
    Finding.MISSING: "red",
    Finding.UNREADABLE: "yellow",
}
_ROWS = 50


def verification_screen(
    done: VerifyResult, asked: VerifyRequest, roots: Mapping[str, Path]
) -> RenderableType:
    """Return what a verification found, the worst last, where it is seen first."""
    parts: list[RenderableType] = []
    if asked.holdings:
        parts += [_counts(done, asked), _pace(done), Text()]
    for root, reason in done.tally.away.items():
        parts.append(Text(f"{roots[root]}: {reason}. Nothing of it was checked.", style="bold red"))
    if done.attention:
        parts += [_attention(done), Text()]
    if done.orphans is not None:
        parts += [_orphans(done.orphans, roots), Text()]
    if done.proof is not None:
        parts += [_proof(done.proof)]
    if done.seal is not None:
        parts.append(Text(f"Last seal  {done.seal.id}:{done.seal.sha256} ({moment(done.seal.sealed_at)})"))
    return Group(*parts)


def verification_facts(done: VerifyResult, roots: Mapping[str, Path]) -> dict[str, Any]:
    """Return the same for `--json`."""
    return {
        "dry_run": False,
        "ok": done.well,
        "checked": {kind.value: dict(found) for kind, found in _plain_counts(done.tally).items()},
        "bytes": done.tally.bytes,
        "seconds": round(done.seconds, 3),
        "stopped": done.tally.stopped,
        "away": done.tally.away,
        "attention": [_attention_facts(one, roots) for one in done.attention],
        "standing": {kind.value: _standing_facts(stand) for kind, stand in done.standings.items()},
        "orphans": None if done.orphans is None else _orphan_facts(done.orphans, roots),
        "events": None if done.proof is None else _proof_facts(done.proof),
        "seal": _seal_facts(done.seal),
    }


def estimate_screen(amounts: VerifyEstimate, asked: VerifyRequest) -> RenderableType:
    """Return what a verification would read."""
    lines = [
        f"{count(amount.files, kind.value)} of {size(amount.bytes)} would be read{_takes(amount, asked)}."
        for kind, amount in amounts.files.items()
    ]
    if amounts.seals is not None:
        lines.append(f"{count(amounts.seals, 'seal')} would be proven.")
    return Text("\n".join(lines))


def estimate_facts(amounts: VerifyEstimate, asked: VerifyRequest) -> dict[str, Any]:
    """Return the same for `--json`."""
    rate = asked.bytes_per_second
    return {
        "dry_run": True,
        "due": {
            kind.value: {
                "files": amount.files,
                "bytes": amount.bytes,
                "seconds": None if rate is None else round(amount.bytes / rate, 3),
            }
            for kind, amount in amounts.files.items()
        },
        "seals": amounts.seals,
    }


def _takes(amount: DueAmount, asked: VerifyRequest) -> str:
    if asked.bytes_per_second is None or not amount.files:
        return ""
    return f", in {duration(amount.bytes / asked.bytes_per_second)} or longer"


def _counts(done: VerifyResult, asked: VerifyRequest) -> Table:
    """Return how all files stand by their last checks, or, where files were chosen, what this run found."""
    found = {kind: counts for kind, counts in _plain_counts(done.tally).items() if kind in asked.holdings}
    heads = [f"{kind}s" for kind in found]
    made = table("", *heads, right=(*heads,))
    for word in Finding:
        cells = []
        for kind, counts in found.items():
            stand = done.standings.get(kind)
            number = counts[word] if stand is None else stand.findings[word]
            cells.append(Text(f"{number:,}", style=_STYLES[word] if number else "dim"))
        made.add_row(word.value, *cells)
    if done.standings:
        stands = [done.standings[kind] for kind in found]
        made.add_row("never checked", *(f"{stand.unchecked:,}" for stand in stands))
        made.add_row("oldest check", *(moment(stand.oldest) for stand in stands))
        made.add_row("in this run", *(f"{sum(counts.values()):,}" for counts in found.values()))
    return made


def _pace(done: VerifyResult) -> Text:
    line = f"{count(done.tally.files, 'file')} of {size(done.tally.bytes)} read in {duration(done.seconds)}."
    if done.tally.stopped == "seconds":
        line += " The time is up; the next run goes on from here."
    elif done.tally.stopped == "limit":
        line += " That is the limit; the next run goes on from here."
    return Text(line, style="dim")


def _attention(done: VerifyResult) -> Text:
    lines = Text()
    for one in done.attention[:_ROWS]:
        held = one.check.file
        lines.append(f"{one.check.finding:<12}", style=_STYLES[one.check.finding])
        lines.append(f"{held.root}/{printable(held.display)}\n")
        why = f"{as_sentence(one.check.reason)} " if one.check.reason else ""
        since = f"It left the inbox {moment(held.gone_at)}. " if held.gone_at else ""
        lines.append(f"  {printable(f'{why}{since}{as_sentence(one.remedy)}')}\n", style="dim")
    if (more := done.tally.amiss - min(_ROWS, len(done.attention))) > 0:
        lines.append(f"and {more:,} more; --json names a thousand\n")
    lines.rstrip()
    return lines


def _orphans(found: Orphans, roots: Mapping[str, Path]) -> RenderableType:
    lines = Text()
    if found.count:
        lines.append(
            f"{count(found.count, 'orphan')} in {roots['outbox']}, made by nothing on record; they stay.\n",
            style="yellow",
        )
        for orphan in found.found[:_ROWS]:
            lines.append(f"  {printable(_name(orphan.path))}  ({size(orphan.bytes)}; {orphan.reason})\n")
        if found.count > _ROWS:
            lines.append(f"  and {found.count - _ROWS:,} more; --json names a thousand\n")
    for folder in found.unreadable:
        lines.append(
            f"The folder {printable(_name(folder)) or '.'} of the outbox cannot be read.\n", style="red"
        )
    if not found.complete:
        rest = "Not all of the outbox was looked through for orphans; `saek verify --orphans` does."
        lines.append(rest, style="yellow")
    elif not found.count:
        lines.append(f"Orphans    none among {count(found.looked_at, 'file')} of the outbox")
    lines.rstrip()
    return lines


def _proof(proof: ChainVerification) -> RenderableType:
    lines = Text()
    if proof.unbroken:
        through = f" up to event {proof.last.last_event_id}" if proof.last else ""
        part = (
            "" if proof.verified == proof.seals else f" of {proof.seals:,}; the time did not suffice for all"
        )
        lines.append("Events     unbroken", style="green")
        lines.append(
            f"{through}: {count(proof.events, 'event')} under {count(proof.verified, 'seal')}{part}. "
            f"{proof.unsealed:,} not sealed yet."
        )
    else:
        first, *rest = proof.faults
        lines.append(f"Events     BROKEN at seal {first.seal}: {_broken(first)}", style="bold red")
        for broken in rest[: _ROWS - 1]:
            lines.append(f"\n           seal {broken.seal}: {_broken(broken)}", style="red")
        if proof.fault_count > _ROWS:
            lines.append(f"\n           and {proof.fault_count - _ROWS:,} more", style="red")
        lines.append(
            "\n           Somebody with rights over the database did this. Keep it as it is, and compare it "
            "with a backup from before."
        )
    if proof.missing_triggers:
        names = ", ".join(proof.missing_triggers)
        lines.append(
            f"\nNot in force: the triggers that keep events from being changed ({names}).", style="red"
        )
    return lines


def _broken(broken: ChainFault) -> str:
    covers = (
        "" if broken.last_event_id is None else f" (events {broken.first_event_id} to {broken.last_event_id})"
    )
    match broken.what.value:
        case "events removed" | "events added":
            verb = "was" if broken.events == 1 else "were"
            return f"{count(broken.events or 0, 'event')} {verb} {broken.what.value.split()[1]}{covers}"
        case "events changed":
            return f"what happened was rewritten{covers}"
        case "seal altered":
            return f"the seal itself was altered{covers}"
        case "seal missing":
            return "the seal is missing"
        case _:
            return "it is not the seal that was written down"


def _plain_counts(tally: Tally) -> Mapping[Holding, Mapping[str, int]]:
    return {
        kind: {word.value: number for word, number in found.items()} for kind, found in tally.counts.items()
    }


def _attention_facts(one: Attention, roots: Mapping[str, Path]) -> dict[str, Any]:
    check, held = one.check, one.check.file
    return {
        "finding": check.finding.value,
        "kind": held.holding.value,
        "id": held.id,
        "scan_id": held.scan_id,
        "root": held.root,
        "display": held.display,
        "uri": uri(roots, held.root, held.path),
        "gone_at": jsonable(held.gone_at, roots),
        "expected": held.sha256,
        "found": check.sha256,
        "expected_bytes": held.bytes,
        "found_bytes": check.bytes,
        "reason": check.reason,
        "remedy": one.remedy,
    }


def _standing_facts(stand: CheckSummary) -> dict[str, Any]:
    return {
        "files": stand.files,
        "unchecked": stand.unchecked,
        **{word.value: stand.findings[word] for word in Finding},
        "oldest_check": jsonable(stand.oldest, {}),
    }


def _orphan_facts(found: Orphans, roots: Mapping[str, Path]) -> dict[str, Any]:
    return {
        "count": found.count,
        "looked_at": found.looked_at,
        "complete": found.complete,
        "files": [
            {
                "display": _name(orphan.path),
                "uri": uri(roots, "outbox", orphan.path),
                "bytes": orphan.bytes,
                "reason": orphan.reason,
            }
            for orphan in found.found
        ],
        "unreadable": [uri(roots, "outbox", folder) for folder in found.unreadable],
    }


def _proof_facts(proof: ChainVerification) -> dict[str, Any]:
    return {
        "unbroken": proof.unbroken,
        "seals": proof.seals,
        "proved": proof.verified,
        "events": proof.events,
        "unsealed": proof.unsealed,
        "breaks": proof.fault_count,
        "broken": [jsonable(broken, {}) for broken in proof.faults],
        "missing_triggers": list(proof.missing_triggers),
    }


def _seal_facts(seal: SealFacts | None) -> dict[str, Any] | None:
    facts: dict[str, Any] | None = None if seal is None else jsonable(seal, {})
    return facts


def _name(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")
