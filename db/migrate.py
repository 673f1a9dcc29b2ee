"""Which revision the tables have, and how they get to this release's."""


def head() -> str:
    """Return the revision that this release needs."""
    raise NotImplementedError


def current(url: str) -> str | None:
    """Return the revision of the tables at `url`, `None` where there are none yet."""
    raise NotImplementedError


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the tables at `url` to `revision`; safe to be run by several processes at once."""
    raise NotImplementedError


def downgrade(url: str, revision: str) -> None:
    """Take the tables at `url` back to `revision` ("base" for none)."""
    raise NotImplementedError


def check(url: str) -> tuple[str, ...]:
    """Return what differs between the tables at `url` and the models, one line a difference."""
    raise NotImplementedError


def require_current(url: str) -> None:
    """Raise `SchemaOutOfDate` unless the tables at `url` are those of this release."""
    raise NotImplementedError
