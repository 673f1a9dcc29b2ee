"""Addresses of record and broker, which may hold passwords: checks, and forms for display.

Errors about an address repeat no part of it: a password with a `/` or `@` shifts into the parts that would
otherwise be shown.
"""

from urllib.parse import SplitResult, parse_qsl, urlsplit

MASK = "***"
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_ENCODE = "write special characters of a password in percent form, such as %2F for / and %40 for @"


def require_broker_address(url: str) -> None:
    """Raise ValueError unless it is a Redis address without parameters."""
    parts = _split(url)
    if parts.scheme not in {"redis", "rediss"} or not parts.hostname:
        raise ValueError(f"it must be redis://host or rediss://host; {_ENCODE}")
    if parts.query or parts.fragment:
        raise ValueError(f"it takes no parameters; SAEK_BROKER_CA and others set TLS; {_ENCODE}")
    if not parts.path.strip("/").isdigit() and parts.path not in {"", "/"}:
        raise ValueError(f"after the host comes the number of a database; {_ENCODE}")


def require_database_address(url: str) -> None:
    """Raise ValueError if the address cannot be parsed; the record checks the kind of database."""
    parts = _split(url)
    if not parts.scheme:
        raise ValueError("it must be sqlite:////folder/saek.db or postgresql://user@host/name")
    if parts.netloc and (parts.fragment or "@" in parts.path + parts.query):
        raise ValueError(_ENCODE)


def holds_secret(url: str) -> bool:
    """Return whether the address holds a password, or cannot be parsed and so may hold one."""
    return masked(url) != url


def masked(url: str) -> str:
    """Return the URL without its password and without the values of its query."""
    try:
        parts = urlsplit(url)
        credentials, at, place = parts.netloc.rpartition("@")
    except ValueError:
        return MASK
    if not parts.scheme:
        return MASK
    user, colon, _ = credentials.partition(":")
    shown = f"{user}{colon}{MASK if colon else ''}{at}{place}"
    query = "&".join(f"{key}={MASK}" for key, _ in parse_qsl(parts.query, keep_blank_values=True))
    return f"{parts.scheme}://{shown}{parts.path}" + (f"?{query}" if query else "")


def transport_weakness(url: str) -> str:
    """Return why the connection is open to eavesdropping or forgery, "" if it is not."""
    parts = _split(url)
    asked = dict(parse_qsl(parts.query))
    host = asked.get("host", parts.hostname or "")
    if parts.scheme.startswith("sqlite") or not host or host.startswith("/") or host in _LOCAL:
        return ""
    if parts.scheme.startswith("postgresql"):
        mode = asked.get("sslmode", "prefer")
        return "" if mode == "verify-full" else f"sslmode={mode} does not verify the server"
    return "" if parts.scheme == "rediss" else "password and messages are sent unencrypted"


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # parsed when read
    except ValueError:
        raise ValueError(f"it cannot be read; {_ENCODE}") from None
    return parts
