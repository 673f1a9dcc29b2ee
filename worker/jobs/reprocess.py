"""Reprocessing of scans on record with another recipe, and its estimated cost."""

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

_BATCH = 200
"""Number of scans in one transaction, which so holds up other writers only for milliseconds."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """The jobs that reprocessing would queue, and their cost."""

    chosen: int
    to_make: int
    existing: int
    """Chosen scans that already have a job with this recipe."""
    unmade: int
    """Existing jobs that failed or were cancelled and need a retry."""
    quarantined: int
    """Chosen scans that are quarantined and not processed."""
    pixels: int
    windows: int
    bytes: int
    """Upper estimate for all derivatives."""
    free_bytes: int
    """Free space of the disk of the outbox."""
    seconds: float | None
    """Estimate from the latest derivatives and the number of worker processes; None without derivatives."""


@dataclass(frozen=True, slots=True)
class ReprocessedJobs:
    """The jobs that reprocessing queued."""

    chosen: int
    created: int
    existing: int
    unmade: int
    quarantined: int


def queue_reprocessing(
    database: Database, selection: Selection, recipe: Recipe, library: Library, by: str
) -> ReprocessedJobs:
    """Queue a job in the bulk lane for each chosen scan that has none with this recipe.

    After an interruption, the same call continues.

    Raises:
        db.errors.EmptySelection: no scan is chosen.
    """
    with database.begin() as s:
        recipe_id = record_recipe(s, recipe, library)
    total = ReprocessedJobs(0, 0, 0, 0, 0)
    for scans in _batches(database, selection):
        ids = [scan.scan_id for scan in scans]
        done = database.run(lambda s, ids=ids: commands.reprocess(s, ids, recipe_id, by))  # type: ignore[misc]
        total = _add(total, len(scans), done)
    return total


def estimate(database: Database, selection: Selection, recipe: Recipe, settings: Settings) -> Estimate:
    """Return what `queue_reprocessing` would do and cost; only reads.

    Raises:
        db.errors.EmptySelection: no scan is chosen.
    """
    fingerprint, library = recipe.fingerprint(), library_from(settings)
    total = ReprocessedJobs(0, 0, 0, 0, 0)
    pixels = windows = size = 0
    for scans in _batches(database, selection):
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
        rate = mean_seconds_per_megapixel(s)
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
        seconds=None if rate is None else rate * pixels / 1e6 / settings.concurrency,
    )


def _batches(database: Database, selection: Selection) -> Iterator[Sequence[SelectedScan]]:
    with database.read() as s:
        chosen = select_scans(s, selection)
        while scans := list(itertools.islice(chosen, _BATCH)):
            yield scans


def _add(total: ReprocessedJobs, chosen: int, done: ReprocessResult) -> ReprocessedJobs:
    return ReprocessedJobs(
        total.chosen + chosen,
        total.created + done.created,
        total.existing + done.existing,
        total.unmade + done.unmade,
        total.quarantined + done.quarantined,
    )


def _facts(scan: SelectedScan) -> ScanFacts:
    """Return the facts for a plan; what the record lacks is assumed to be that of a plain gray scan."""
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
