"""The end of a job: its derivative gets a name in the outbox and a row in the record."""

import os
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from sqlalchemy.orm import Session

from db.errors import DerivativeExists
from db.values import NewDerivative
from restoration import OutputExists, Restoration
from worker.jobs.leases import HeldJob
from worker.outbox.paths import belongs_to_another
from worker.outbox.sidecars import publish_with_sidecar
from worker.printable import display_path
from worker.settings import Settings
from worker.storage.mounts import require_mark
from worker.storage.recorded_paths import derivative_path


def record_derivative(
    settings: Settings, job: HeldJob, restoration: Restoration, names: Sequence[bytes], draft: Path
) -> bytes:
    """Record the derivative under the first free name and publish `draft` there; return that name.

    A name is taken if the record has it for another derivative, or if a file has it that is not a derivative
    of this scan by this recipe. Raises OutputExists if all names are taken.
    """
    lease = job.lease
    for name in names:
        final = derivative_path(settings.outbox_path, name)
        if belongs_to_another(final, lease.scan_sha256, lease.fingerprint):
            job.log.warning("another file has this name", output=display_path(name))
            continue
        publish = partial(_publish, settings=settings, job_id=lease.job_id, draft=draft, final=final)
        try:
            job.finish(_derivative_record(restoration, name), publish)
        except DerivativeExists as taken:
            job.log.warning("another derivative has this name", reason=taken.reason)
        else:
            return name
    raise OutputExists(
        reason="other files have all names that the derivative could have",
        remedy="move them away, then run `saek retry`",
        path=os.fsdecode(names[-1]),
    )


def _publish(s: Session, *, settings: Settings, job_id: int, draft: Path, final: Path) -> None:
    require_mark(settings)  # the outbox may have been unmounted during the work
    publish_with_sidecar(s, job_id, draft, final)


def _derivative_record(restoration: Restoration, name: bytes) -> NewDerivative:
    return NewDerivative(
        path=name,
        display=display_path(name),
        format=restoration.format.value,
        width=restoration.width,
        height=restoration.height,
        bit_depth=restoration.bit_depth,
        bytes=restoration.bytes,
        sha256=restoration.sha256,
        pixel_sha256=restoration.pixel_sha256,
        luma_max_error=restoration.luma_max_error,
        luma_mean_error=restoration.luma_mean_error,
        engine=restoration.engine,
        software=restoration.software,
        weights_sha256=restoration.weights,
        seconds=sum(restoration.seconds.values()),
        facts={
            "model": restoration.model,
            "windows": restoration.windows,
            "seamlessness": asdict(restoration.seamlessness),
            "seconds": restoration.seconds,
            "tone": asdict(restoration.tone),
            "stretch": restoration.stretch,
            "metadata": asdict(restoration.metadata),
            "decoders": restoration.decoders,
        },
    )
