"""The masters of a job: the files in the inbox that held its scan, tried one after the other."""

from pathlib import Path

from restoration import (
    Compute,
    Input,
    LoadedModel,
    MasterChanged,
    MasterUnavailable,
    MissingFile,
    Output,
    Recipe,
    Restoration,
    restore_draft,
)
from worker.inbox.intake import register_file
from worker.jobs.context import JobContext
from worker.jobs.leases import HeldJob
from worker.recipes import limits_from
from worker.storage.recorded_paths import PathEscapes, master_path


def restore_from_inbox(
    context: JobContext, job: HeldJob, recipe: Recipe, model: LoadedModel, draft: Path
) -> Restoration:
    """Restore the first file that still holds the bytes of the scan into `draft`.

    A file that holds other bytes by now is registered again and gets a job of its own.

    Raises:
        MissingFile: none of the files exists any more.
        MasterChanged, MasterUnavailable: those that exist hold other bytes or cannot be read now, or the
            whole inbox is away.
        PathEscapes: the record names only paths outside of the inbox.
    """
    settings, limits = context.settings, limits_from(context.settings)
    output = Output(draft, tags={"job": str(job.lease.job_id)})
    compute = Compute(threads=context.threads, model=model)
    unusable: MasterChanged | MasterUnavailable | None = None
    outside: PathEscapes | None = None
    for master in job.lease.masters:
        try:
            scan = Input(master_path(settings.inbox_path, master.path), job.lease.scan_sha256, limits)
            return restore_draft(scan, recipe, output, compute, job.report_progress)
        except MissingFile:
            continue
        except MasterUnavailable as error:
            unusable = error
        except PathEscapes as error:
            outside = error
            job.log.warning("passed over", code=error.code, reason=error.reason)
        except MasterChanged as error:
            unusable = error
            register_file(
                context.database,
                settings.inbox_path,
                master.path,
                job.lease.recipe_id,
                limits,
                hard_links=settings.hard_links,
            )
    if (problem := unusable or outside) is not None:
        raise problem
    context.preflight.require_inbox()
    raise MissingFile(
        reason="the file is no longer in the inbox",
        remedy="put it back; work continues automatically",
        path=job.lease.masters[-1].display if job.lease.masters else None,
    )
