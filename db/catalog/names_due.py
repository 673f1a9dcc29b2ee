"""Scans whose derivatives need their names updated to match the paths of the scan."""

import datetime as dt
from collections.abc import Collection, Iterable

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from db.core.batches import batches
from db.core.clock import current_time
from db.core.schema import Derivative, Scan, Sighting


def mark_names_due(s: Session, scan_ids: Iterable[int | None], now: dt.datetime) -> None:
    """Mark scans in the same transaction that changes their sightings.

    Scans without a derivative are left out, and scans that are gone: their derivatives keep their names.
    """
    ids = sorted({scan_id for scan_id in scan_ids if scan_id is not None})
    made = exists().where(Derivative.scan_id == Scan.id)
    there = exists().where(
        Sighting.scan_id == Scan.id, Sighting.superseded_at.is_(None), Sighting.gone_at.is_(None)
    )
    for page in batches(ids):
        s.execute(
            update(Scan)
            .where(Scan.id.in_(page), made, there)
            .values(names_due_at=now)
            .execution_options(synchronize_session=False)
        )


def any_names_due(s: Session) -> bool:
    """Return whether any scan is marked, for now or for later."""
    return s.scalar(select(Scan.id).where(Scan.names_due_at.is_not(None)).limit(1)) is not None


def scans_with_names_due(s: Session, limit: int, *, now: dt.datetime | None = None) -> list[int]:
    """Return scans that are due now, the longest due first."""
    now = now or current_time(s)
    due = select(Scan.id).where(Scan.names_due_at <= now).order_by(Scan.names_due_at, Scan.id).limit(limit)
    return list(s.scalars(due))


def postpone_names(
    s: Session, scan_ids: Collection[int], pause: dt.timedelta, *, now: dt.datetime | None = None
) -> list[int]:
    """Postpone due scans by `pause`; return those that were due, which the caller has to itself until then.

    Two callers never get the same scan.
    """
    now = now or current_time(s)
    return list(
        s.scalars(
            update(Scan)
            .where(Scan.id.in_(scan_ids), Scan.names_due_at <= now)
            .values(names_due_at=now + pause)
            .returning(Scan.id)
            .execution_options(synchronize_session=False)
        )
    )


def clear_names_due(s: Session, scan_id: int) -> None:
    """Note that the names of a scan's derivatives match its paths; the caller has locked the scan."""
    s.execute(
        update(Scan)
        .where(Scan.id == scan_id)
        .values(names_due_at=None)
        .execution_options(synchronize_session=False)
    )
