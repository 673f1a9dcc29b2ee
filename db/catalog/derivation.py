"""The source scan of a file in the outbox."""

import re
from hashlib import sha256

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from db.core.schema import Derivative, Link, Recipe, Scan


def source_scan(s: Session, path: bytes) -> int | None:
    """Return the scan of a derivative, found by its path or by its name; None without a unique match.

    The path may also be that of its sidecar.
    """
    path = path.removesuffix(b".json")
    here = sha256(path).digest()
    by_link = select(Derivative.scan_id).join(Link, Link.derivative_id == Derivative.id)
    for query in (
        select(Derivative.scan_id).where(Derivative.path_sha256 == here).order_by(Derivative.id.desc()),
        by_link.where(Link.path_sha256 == here).order_by(Link.withdrawn_at.is_not(None), Link.id.desc()),
    ):
        if (scan_id := s.scalars(query.limit(1)).first()) is not None:
            return scan_id
    name = path.rpartition(b"/")[2]
    if (digests := _DIGESTS.search(name)) is None:
        text = name.decode("utf-8", "backslashreplace")
        found: set[int] = set()
        for query, column in ((select(Derivative.scan_id), Derivative.display), (by_link, Link.display)):
            same = or_(column == text, column.endswith(f"/{text}", autoescape=True))
            found |= set(s.scalars(query.where(same).distinct().limit(2)))
    else:
        scan, recipe = (digest.decode() for digest in digests.groups())
        by_digests = (
            select(Derivative.scan_id)
            .join(Scan, Scan.id == Derivative.scan_id)
            .join(Recipe, Recipe.id == Derivative.recipe_id)
            .where(Scan.sha256 >= scan, Scan.sha256 < f"{scan}g", Recipe.fingerprint.startswith(recipe))
        )
        found = set(s.scalars(by_digests.distinct().limit(2)))
    return found.pop() if len(found) == 1 else None


_DIGESTS = re.compile(rb"\.([0-9a-f]{8,64})-([0-9a-f]{8,64})\.[A-Za-z0-9]+$")
"""End of a derivative's name: first digits of the scan's checksum and of the recipe's fingerprint."""
