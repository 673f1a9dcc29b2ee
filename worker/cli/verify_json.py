"""JSON report of `saek verify`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from db.audit import ChainVerification, CheckSummary
from db.vocabulary import Finding
from worker.console import jsonable, uri
from worker.fixity.orphans import Orphans
from worker.fixity.verification import Attention, VerifyEstimate, VerifyRequest, VerifyResult


def verification_facts(done: VerifyResult, roots: Mapping[str, Path]) -> dict[str, Any]:
    """Return the result of a verification as a JSON object."""
    return {
        "dry_run": False,
        "ok": done.well,
        "checked": {
            kind.value: {word.value: number for word, number in found.items()}
            for kind, found in done.tally.counts.items()
        },
        "bytes": done.tally.bytes,
        "seconds": round(done.seconds, 3),
        "stopped": done.tally.stopped,
        "away": done.tally.away,
        "attention": [_attention_facts(one, roots) for one in done.attention],
        "standing": {kind.value: _standing_facts(stand) for kind, stand in done.standings.items()},
        "orphans": None if done.orphans is None else _orphan_facts(done.orphans, roots),
        "events": None if done.proof is None else _proof_facts(done.proof),
        "seal": jsonable(done.seal, {}),
    }


def estimate_facts(amounts: VerifyEstimate, asked: VerifyRequest) -> dict[str, Any]:
    """Return the work of a verification as a JSON object."""
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
                "display": jsonable(orphan.path, {}),
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
