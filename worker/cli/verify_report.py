"""Report of `saek verify` on the terminal."""

import os
from collections.abc import Mapping
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from db.audit import ChainFault, ChainVerification, DueAmount
from db.vocabulary import Finding
from worker.console import as_sentence, table
from worker.fixity.orphans import Orphans
from worker.fixity.verification import VerifyEstimate, VerifyRequest, VerifyResult
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
    """Return the result of a verification; the most important part comes last."""
    parts: list[RenderableType] = []
    if asked.holdings:
        parts += [_counts(done, asked), _pace(done), Text()]
    for root, reason in done.tally.away.items():
        parts.append(Text(f"{roots[root]}: {reason}. Nothing in it was checked.", style="bold red"))
    if done.attention:
        parts += [_attention(done), Text()]
    if done.orphans is not None:
        parts += [_orphans(done.orphans, roots), Text()]
    if done.proof is not None:
        parts += [_proof(done.proof)]
    if done.seal is not None:
        parts.append(Text(f"Last seal  {done.seal.id}:{done.seal.sha256} ({moment(done.seal.sealed_at)})"))
    return Group(*parts)


def estimate_screen(amounts: VerifyEstimate, asked: VerifyRequest) -> RenderableType:
    """Return how many files and seals a verification would check."""
    lines = [
        f"{count(amount.files, kind.value)} of {size(amount.bytes)} would be checked{_takes(amount, asked)}."
        for kind, amount in amounts.files.items()
    ]
    if amounts.seals is not None:
        lines.append(f"{count(amounts.seals, 'seal')} would be checked.")
    return Text("\n".join(lines))


def _takes(amount: DueAmount, asked: VerifyRequest) -> str:
    if asked.bytes_per_second is None or not amount.files:
        return ""
    return f", in {duration(amount.bytes / asked.bytes_per_second)} or longer"


def _counts(done: VerifyResult, asked: VerifyRequest) -> Table:
    """Return the findings of the last checks of all files or, if files were chosen, of this run."""
    found = {kind: counts for kind, counts in done.tally.counts.items() if kind in asked.holdings}
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
    line = (
        f"{count(done.tally.files, 'file')} of {size(done.tally.bytes)} checked in {duration(done.seconds)}."
    )
    if done.tally.stopped == "seconds":
        line += " The time limit is reached; the next run continues from here."
    elif done.tally.stopped == "limit":
        line += " The file limit is reached; the next run continues from here."
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
    if (more := done.tally.not_intact - min(_ROWS, len(done.attention))) > 0:
        lines.append(f"and {more:,} more; --json lists up to 1,000\n")
    lines.rstrip()
    return lines


def _orphans(found: Orphans, roots: Mapping[str, Path]) -> RenderableType:
    lines = Text()
    if found.count:
        lines.append(
            f"{count(found.count, 'orphan')} in {roots['outbox']}: files of no recorded job. They stay.\n",
            style="yellow",
        )
        for orphan in found.found[:_ROWS]:
            lines.append(
                f"  {printable(os.fsdecode(orphan.path))}  ({size(orphan.bytes)}; {orphan.reason})\n"
            )
        if found.count > _ROWS:
            lines.append(f"  and {found.count - _ROWS:,} more; --json lists up to 1,000\n")
    for folder in found.unreadable:
        lines.append(
            f"The folder {printable(os.fsdecode(folder)) or '.'} of the outbox cannot be read.\n", style="red"
        )
    if not found.complete:
        rest = "The outbox was not searched completely for orphans; run `saek verify --orphans`."
        lines.append(rest, style="yellow")
    elif not found.count:
        lines.append(f"Orphans    none among {count(found.looked_at, 'file')} in the outbox")
    lines.rstrip()
    return lines


def _proof(proof: ChainVerification) -> RenderableType:
    lines = Text()
    if proof.unbroken:
        through = f" up to event {proof.last.last_event_id}" if proof.last else ""
        part = "" if proof.verified == proof.seals else f" of {proof.seals:,}; the time limit was reached"
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
            "\n           Somebody with write access to the database did this. Do not change it; compare it "
            "with an older backup."
        )
    if proof.missing_triggers:
        names = ", ".join(proof.missing_triggers)
        lines.append(f"\nMissing triggers, which keep events from being changed: {names}.", style="red")
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
            return f"the content of events was changed{covers}"
        case "seal altered":
            return f"the seal was altered{covers}"
        case "seal missing":
            return "the seal is missing"
        case _:
            return "not the expected seal"
