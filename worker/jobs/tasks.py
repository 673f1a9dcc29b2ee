"""The life of a job: claimed, its master found, restored, recorded."""

import functools
import os
import socket
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import structlog
from sqlalchemy.orm import Session

from db.core import Database, open_database
from db.errors import DatabaseUnavailable, DerivativeExists
from db.queue import job_file_names
from db.values import NewDerivative
from restoration import (
    Compute,
    Input,
    MasterChanged,
    MasterUnavailable,
    MissingFile,
    Output,
    OutputExists,
    Recipe,
    Restoration,
    restore_draft,
)
from worker.inbox.intake import register_file
from worker.jobs.leases import HeldJob, claim
from worker.jobs.preflight import Preflight
from worker.models.open_model import open_model
from worker.outbox.paths import belongs_to_another, derivative_names, work_draft
from worker.outbox.sidecars import publish_with_sidecar
from worker.printable import display_path
from worker.queue.app import app, drain_mark, settings
from worker.queue.messages import TASK
from worker.recipes import limits_from, recipe_of
from worker.storage.locate import PathEscapes, master_path, output_path
from worker.storage.mounts import require_mark

_LEAST_PATIENCE = 3.0
"""Seconds; a database that is merely busy may take one or two for an answer."""

_log = structlog.get_logger()


@app.task(name=TASK)
def restore_job(job_id: int) -> None:
    """Restore the scan of one job; a second delivery of the same message does nothing."""
    try:
        if gate().passes(job_id):
            _restore(job_id)
    except DatabaseUnavailable as away:  # the job stays as it is, and is sent again
        _log.warning("waiting", job=job_id, code=away.code, reason=away.reason, remedy=away.remedy)


def _restore(job_id: int) -> None:
    with claim(database(), job_id, owner(), settings, drained_for) as job:
        if job is None:
            with database().read() as s:
                file = job_file_names(s, [job_id]).get(job_id)
            _log.info("nothing to claim", job=job_id, file=file)
            return
        recipe = recipe_of(job.lease.recipe_body)
        first = job.lease.masters[-1].path if job.lease.masters else b"gone"
        names = derivative_names(first, job.lease.scan_sha256, job.lease.fingerprint, recipe.format.suffix)
        with work_draft(
            output_path(settings.outbox_path, names[0]), f"job{job_id}", job.lease.token
        ) as unfinished:
            made = restore_first_present(job, recipe, unfinished)
            path = record_under_free_name(job, made, names, unfinished)
        job.log.info("done", output=display_path(path), luma_error=made.luma_max_error)


def record_under_free_name(
    job: HeldJob, made: Restoration, names: Sequence[bytes], unfinished: Path
) -> bytes:
    """Record the derivative under the first of the names that is nobody else's, and return that name.

    A name is another's when the record says so, or when a file lies there that is no derivative of this scan
    by this recipe. Raises OutputExists if all of them are.
    """
    lease = job.lease
    for path in names:
        final = output_path(settings.outbox_path, path)
        if belongs_to_another(final, lease.scan_sha256, lease.fingerprint):
            job.log.warning("another file has this name", output=display_path(path))
            continue
        publish = functools.partial(name_it, job_id=lease.job_id, unfinished=unfinished, final=final)
        try:
            job.finish(record_of(made, path), publish)
        except DerivativeExists as taken:
            job.log.warning("another derivative has this name", reason=taken.reason)
        else:
            return path
    raise OutputExists(
        reason="other files have all names that the derivative could have",
        remedy="move them away, then run: saek retry",
        path=os.fsdecode(names[-1]),
    )


def restore_first_present(job: HeldJob, recipe: Recipe, draft: Path) -> Restoration:
    """Restore into `draft` from the first place that still holds the bytes of the scan.

    A place that holds other bytes by now is taken in anew, so that the file that is there gets its own job.

    Raises:
        MissingFile: no place holds a file any more.
        MasterChanged, MasterUnavailable: each place that does holds other bytes, or cannot be read now, or
            the whole inbox went away.
        LeadsOut: the record names only places outside of the inbox.
    """
    compute = Compute(threads=threads(), model=open_model(settings, recipe.model, threads=threads()))
    output = Output(draft, tags={"job": str(job.lease.job_id)})
    changed: MasterChanged | MasterUnavailable | None = None
    outside: PathEscapes | None = None
    for master in job.lease.masters:
        try:
            place = master_path(settings.inbox_path, master.path)
            scan = Input(place, job.lease.scan_sha256, limits_from(settings))
            return restore_draft(scan, recipe, output, compute, job.report_progress)
        except MissingFile:
            continue
        except MasterUnavailable as error:
            changed = error
        except PathEscapes as error:
            outside = error
            job.log.warning("passed over", code=error.code, reason=error.reason)
        except MasterChanged as error:
            changed = error
            register_file(
                database(),
                settings.inbox_path,
                master.path,
                job.lease.recipe_id,
                limits_from(settings),
                hard_links=settings.hard_links,
            )
    if (amiss := changed or outside) is not None:
        raise amiss
    gate().require_inbox()
    raise MissingFile(
        reason="the file is no longer in the inbox",
        remedy="put it back; it goes on by itself",
        path=job.lease.masters[-1].display if job.lease.masters else None,
    )


def name_it(s: Session, job_id: int, unfinished: Path, final: Path) -> None:
    """Give derivative and sidecar their names, unless the outbox was unmounted under our feet."""
    require_mark(settings)
    publish_with_sidecar(s, job_id, unfinished, final)


def record_of(made: Restoration, path: bytes) -> NewDerivative:
    """Return the derivative as the record keeps it."""
    return NewDerivative(
        path=path,
        display=display_path(path),
        format=made.format.value,
        width=made.width,
        height=made.height,
        bit_depth=made.bit_depth,
        bytes=made.bytes,
        sha256=made.sha256,
        pixel_sha256=made.pixel_sha256,
        luma_max_error=made.luma_max_error,
        luma_mean_error=made.luma_mean_error,
        engine=made.engine,
        software=made.software,
        weights_sha256=made.weights,
        seconds=sum(made.seconds.values()),
        facts={
            "model": made.model,
            "windows": made.windows,
            "seamlessness": asdict(made.seamlessness),
            "seconds": made.seconds,
            "tone": asdict(made.tone),
            "stretch": made.stretch,
            "metadata": asdict(made.metadata),
            "decoders": made.decoders,
        },
    )


@functools.cache
def database() -> Database:
    """The record, opened once a process; silence of its server leaves time to keep a lease alive."""
    patience = max(_LEAST_PATIENCE, settings.lease_seconds / 3)
    return open_database(settings.database_address(), patience=patience)


@functools.cache
def gate() -> Preflight:
    """The gate of this process."""
    return Preflight(database(), settings, drained_for)


def threads() -> int:
    """CPU threads of this process: as set, or its share of the cores that it may use."""
    return settings.threads or max(1, len(os.sched_getaffinity(0)) // settings.concurrency)


def owner() -> str:
    """Who holds the leases of this process."""
    return f"{socket.gethostname()}:{os.getpid()}"


def drained_for() -> float | None:
    """Seconds since the parent began to shut down, None while it does not."""
    try:
        began = float(drain_mark(os.getppid()).read_text())
    except FileNotFoundError:
        return None
    return time.monotonic() - began
