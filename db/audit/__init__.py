"""Integrity checks: event hash chain, fixity of files, orphaned files."""

from db.audit.chain_verification import (
    ChainFault,
    ChainVerification,
    verify_chain,
)
from db.audit.due_checks import (
    ChosenFiles,
    Due,
    DueAmount,
    RecordedFile,
    amount_due,
    choose_files,
    due_files,
)
from db.audit.fixity import (
    CheckSummary,
    FileCheck,
    check_summary,
    forget_future_checks,
    recipe_and_master,
    record_checks,
)
from db.audit.hash_chain import (
    SealFacts,
    last_seal,
    seal_events,
)
from db.audit.orphans import (
    is_running,
    is_unfinished,
    known_derivatives,
)

__all__ = [
    "ChainFault",
    "ChainVerification",
    "CheckSummary",
    "ChosenFiles",
    "Due",
    "DueAmount",
    "FileCheck",
    "RecordedFile",
    "SealFacts",
    "amount_due",
    "check_summary",
    "choose_files",
    "due_files",
    "forget_future_checks",
    "is_running",
    "is_unfinished",
    "known_derivatives",
    "last_seal",
    "recipe_and_master",
    "record_checks",
    "seal_events",
    "verify_chain",
]
