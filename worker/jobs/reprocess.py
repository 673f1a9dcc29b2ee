"""How files that are on record are ordered anew by a recipe, and what that would cost."""

import itertools
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from db.catalog import SelectedScan, Selection, mean_seconds_per_megapixel, select_scans
from db.core import Database
from db.queue import ReprocessResult, commands
from restoration import Library, Recipe, ScanFacts, plan
from worker.models.library import library_from
from worker.recipe_registration import record_recipe
from worker.settings import Settings
from worker.storage.folders import nearest_folder

_AT_ONCE = 200
"""Scans ordered in one transaction: workers that wait to write meanwhile wait for milliseconds."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What an order would make, and what it would cost."""

    chosen: int
    to_make: int
    existing: int
    """Chosen scans that have a job by this recipe already."""
    unmade: int
    """Those of the existing jobs that failed or were cancelled: only a retry makes them."""
    quarantined: int
    """Chosen scans that are not made because they are quarantined."""
    pixels: int
    windows: int
    bytes: int
    """Of all derivatives: an upper estimate."""
    free_bytes: int
    """Of the disk that holds the outbox."""
    seconds: float | None
    """By what the latest derivatives took, shared among the worker processes; None before the first one."""


@dataclass(frozen=True, slots=True)
class QueuedJobs:
    """What an order did."""

    chosen: int
    created: int
    existing: int
    unmade: int
    quarantined: int


def queue_reprocessing(
    database: Database, selection: Selection, recipe: Recipe, library: Library, by: str
) -> QueuedJobs:
    """Queue a job in the bulk lane for each chosen scan that has none by this recipe.

    Stopped half way, it goes on where it was when it is given again.

    Raises:
        db.errors.EmptySelection: nothing chooses.
    """
    with database.begin() as s:
        recipe_id = record_recipe(s, recipe, library)
    total = QueuedJobs(0, 0, 0, 0, 0)
    for scans in _chunks(database, selection):
        ids = [scan.scan_id for scan in scans]
        done = database.run(lambda s, ids=ids: commands.reprocess(s, ids, recipe_id, by))  # type: ignore[misc]
        total = _add(total, len(scans), done)
    return total


def estimate(database: Database, selection: Selection, recipe: Recipe, settings: Settings) -> Estimate:
    """Return what `queue_reprocessing` would do and cost; only reads.

    Raises:
        db.errors.EmptySelection: nothing chooses.
    """
    fingerprint, library = recipe.fingerprint(), library_from(settings)
    total = QueuedJobs(0, 0, 0, 0, 0)
    pixels = windows = size = 0
    for scans in _chunks(database, selection):
        with database.read() as s:
            new, result = commands.plan_reprocess(s, [scan.scan_id for scan in scans], fingerprint)
        total = _add(total, len(scans), result)
        for scan in scans:
            if scan.scan_id in new:
                cost = plan(_facts(scan), recipe, library)
                pixels, windows, size = (
                    pixels + cost.pixels,
                    windows + cost.windows,
                    size + cost.bytes_estimate,
                )
    with database.read() as s:
        pace = mean_seconds_per_megapixel(s)
    return Estimate(
        chosen=total.chosen,
        to_make=total.created,
        existing=total.existing,
        unmade=total.unmade,
        quarantined=total.quarantined,
        pixels=pixels,
        windows=windows,
        bytes=size,
        free_bytes=shutil.disk_usage(nearest_folder(settings.outbox_path)).free,
        seconds=None if pace is None else pace * pixels / 1e6 / settings.concurrency,
    )


def _chunks(database: Database, selection: Selection) -> Iterator[Sequence[SelectedScan]]:
    with database.read() as s:
        chosen = select_scans(s, selection)
        while scans := list(itertools.islice(chosen, _AT_ONCE)):
            yield scans


def _add(total: QueuedJobs, chosen: int, done: ReprocessResult) -> QueuedJobs:
    return QueuedJobs(
        total.chosen + chosen,
        total.created + done.created,
        total.existing + done.existing,
        total.unmade + done.unmade,
        total.quarantined + done.quarantined,
    )


def _facts(scan: SelectedScan) -> ScanFacts:
    """Return the facts that a plan goes by; what the record does not tell is that of a plain gray scan."""
    return ScanFacts(
        format="tiff",
        width=scan.width or 0,
        height=scan.height or 0,
        bands=scan.bands or 1,
        bit_depth=scan.bit_depth or 8,
        mode="gray",
        alpha=False,
        orientation=1,
        pages=1,
        icc_sha256=None,
        dpi=None,
        file_bytes=scan.bytes,
    )
