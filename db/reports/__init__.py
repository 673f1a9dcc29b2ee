"""Status, counts and file histories for people."""

from db.reports.cached_counts import Waiting, take_census
from db.reports.history import (
    DerivativeStory,
    EventStory,
    JobStory,
    ScanStory,
    SightingStory,
    Story,
    story,
    story_of_derivative,
)
from db.reports.status import Overview, Running, overview, running, waiting_for_causes

__all__ = [
    "DerivativeStory",
    "EventStory",
    "JobStory",
    "Overview",
    "Running",
    "ScanStory",
    "SightingStory",
    "Story",
    "Waiting",
    "overview",
    "running",
    "story",
    "story_of_derivative",
    "take_census",
    "waiting_for_causes",
]
