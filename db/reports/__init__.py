"""Status, counts and file histories for people."""

from db.reports.cached_counts import WaitingJobs, cache_counts
from db.reports.history import (
    DerivativeEntry,
    EventEntry,
    JobEntry,
    ScanEntry,
    ScanHistory,
    SightingEntry,
    derivative_history,
    scan_history,
)
from db.reports.status import Overview, RunningJob, overview, running_jobs, waits_for_causes

__all__ = [
    "DerivativeEntry",
    "EventEntry",
    "JobEntry",
    "Overview",
    "RunningJob",
    "ScanEntry",
    "ScanHistory",
    "SightingEntry",
    "WaitingJobs",
    "cache_counts",
    "derivative_history",
    "overview",
    "running_jobs",
    "scan_history",
    "waits_for_causes",
]
