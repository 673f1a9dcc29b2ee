"""Integrity checks: event hash chain, fixity of files, orphaned files."""

from db.audit.chain_verification import Broken, Proof, prove
from db.audit.fixity import (
    Amount,
    Checked,
    Chosen,
    Due,
    Held,
    Standing,
    amount_due,
    choose,
    due_files,
    forget_future_checks,
    making_of,
    record_checks,
    standing,
)
from db.audit.hash_chain import Seal, last_seal, seal_events
from db.audit.orphans import is_running, is_unfinished, known_derivatives

__all__ = [
    "Amount",
    "Broken",
    "Checked",
    "Chosen",
    "Due",
    "Held",
    "Proof",
    "Seal",
    "Standing",
    "amount_due",
    "choose",
    "due_files",
    "forget_future_checks",
    "is_running",
    "is_unfinished",
    "known_derivatives",
    "last_seal",
    "making_of",
    "prove",
    "record_checks",
    "seal_events",
    "standing",
]
