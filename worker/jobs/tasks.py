"""The life of a job: preflight, claim, open the model, restore, name, record."""

import functools

import structlog
from celery import Celery, Task, shared_task

from db.errors import DatabaseUnavailable
from db.queue import job_file_names
from worker.jobs.context import JobContext
from worker.jobs.derivatives import record_derivative
from worker.jobs.leases import claimed_job
from worker.jobs.masters import restore_from_inbox
from worker.models.library import open_model
from worker.outbox.paths import derivative_names, work_draft
from worker.printable import display_path
from worker.queue.messages import TASK
from worker.recipes import recipe_of
from worker.storage.recorded_paths import derivative_path

_log = structlog.get_logger()


@shared_task(name=TASK, bind=True)
def restore_job(task: Task, job_id: int) -> None:
    """Restore the scan of one job; a second delivery of the same message does nothing."""
    run_job(_context(task.app), job_id)


@functools.cache
def _context(app: Celery) -> JobContext:
    return JobContext(app.conf.saek_settings)


def run_job(context: JobContext, job_id: int) -> None:
    """Run a job if this host can work now; otherwise, or without a database, leave it in the queue."""
    try:
        if context.preflight.passes(job_id):
            _claim_and_restore(context, job_id)
    except DatabaseUnavailable as error:
        _log.warning("waiting", job=job_id, code=error.code, reason=error.reason, remedy=error.remedy)


def _claim_and_restore(context: JobContext, job_id: int) -> None:
    settings = context.settings
    with claimed_job(context.database, job_id, context.owner, settings, context.draining_seconds) as job:
        if job is None:
            with context.database.read() as s:
                _log.info("nothing to claim", job=job_id, file=job_file_names(s, [job_id]).get(job_id))
            return
        lease = job.lease
        recipe = recipe_of(lease.recipe_body)
        model = open_model(settings, recipe.model, threads=context.threads)
        master = lease.masters[-1].path if lease.masters else b"gone"
        names = derivative_names(master, lease.scan_sha256, lease.fingerprint, recipe.format.suffix)
        with work_draft(
            derivative_path(settings.outbox_path, names[0]), f"job{job_id}", lease.token
        ) as unfinished:
            restoration = restore_from_inbox(context, job, recipe, model, unfinished)
            name = record_derivative(settings, job, restoration, names, unfinished)
        job.log.info("done", output=display_path(name), luma_error=restoration.luma_max_error)
