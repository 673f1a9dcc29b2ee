"""How a file comes here from an address on the network: bounded, over TLS, and never run.

What is defended: the bytes may be wrong (the caller compares a checksum that came another way), too many (a
ceiling, on what is declared and on what arrives), or never end (time limits); a redirect may lead from TLS to
plain HTTP, or from elsewhere to this machine's own services; an address may carry a password into a log.
Plain HTTP is taken from this machine only. What remains: a server learns who asks and can keep the file back.
"""

import ipaddress
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPMessage, HTTPResponse
from typing import IO
from urllib.parse import SplitResult, urlsplit

from restoration import ModelRefused
from worker import __version__
from worker.errors import DownloadFailed

CHUNK = 1 << 18
STALL_SECONDS = 30.0
"""A server that says nothing for this long is given up."""
WHOLE_SECONDS = 3600.0
"""A file that is not whole after this is given up."""
MAX_REDIRECTS = 5

Progress = Callable[[int, int | None], None]
"""Told the bytes that are here, and those there will be if the server says so."""


def fetch(url: str, limit: int, progress: Progress | None = None) -> Iterator[bytes]:
    """Yield the content behind an https:// address, or an http:// one of this machine, in chunks.

    Raises:
        restoration.ModelRefused: the address is not allowed or there is nothing there, or it is larger than
            `limit` bytes.
        DownloadFailed: the server or the network fails.
    """
    parts = urlsplit(url)
    _require_allowed(parts)
    with (
        _told(url),
        _opener(direct=parts.scheme == "http").open(_request(url), timeout=STALL_SECONDS) as answer,
    ):
        total = _length(answer, limit)
        here, deadline = 0, time.monotonic() + WHOLE_SECONDS
        while chunk := answer.read(CHUNK):
            here += len(chunk)
            if here > limit:
                raise _too_large(limit)
            if time.monotonic() > deadline:
                raise DownloadFailed(
                    reason=f"{shown(url)} was not whole after {WHOLE_SECONDS:.0f} s.", remedy="Try again."
                )
            if progress is not None:
                progress(here, total)
            yield chunk
        if total is not None and here < total:
            raise DownloadFailed(
                reason=f"{shown(url)} broke off after {here:,} of {total:,} bytes.", remedy="Try again."
            )


def fetch_small(url: str, limit: int) -> bytes | None:
    """Return the content behind an address, None if there is nothing. Raises as `fetch`."""
    try:
        return b"".join(fetch(url, limit))
    except _NothingThere:
        return None


def shown(url: str) -> str:
    """Return the address as it may be shown: without its query, which may hold a key."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


class _NothingThere(ModelRefused):
    """The server says that there is no such file, or not for us."""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow a redirect only to an address that could have been asked for, and never from TLS to less."""

    max_redirections = MAX_REDIRECTS

    def redirect_request(  # noqa: PLR0917  (the signature is urllib's)
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        _require_allowed(new)
        if new.scheme != "https" and (old.scheme == "https" or not _is_loopback(old.hostname)):
            raise ModelRefused(
                reason=f"{shown(req.full_url)} leads from https to {shown(newurl)}",
                remedy="ask for an address that stays on https",
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener(*, direct: bool) -> urllib.request.OpenerDirector:
    """Return an opener for http and https alone, `direct` or by the proxy of the environment.

    Others of urllib's handlers read local files.
    """
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler({} if direct else None),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
        _Redirects(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def _request(url: str) -> urllib.request.Request:
    return urllib.request.Request(  # noqa: S310  (the scheme is checked before)
        url, headers={"User-Agent": f"saek/{__version__}", "Accept-Encoding": "identity"}
    )


def _require_allowed(parts: SplitResult) -> None:
    if parts.username or parts.password:
        raise ModelRefused(
            reason="the address holds a name or a password",
            remedy="fetch the file by other means, then import it",
        )
    plain = parts.scheme == "http" and _is_loopback(parts.hostname)
    if not parts.hostname or not (plain or parts.scheme == "https"):
        raise ModelRefused(
            reason=f"nothing is fetched from {parts.scheme}://{parts.hostname or ''}",
            remedy="give an https:// address (http:// of this machine only), or a file",
        )


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _length(answer: HTTPResponse, limit: int) -> int | None:
    said = answer.headers.get("Content-Length", "")
    total = int(said) if said.isascii() and said.isdigit() else None
    if total is not None and total > limit:
        raise _too_large(limit)
    return total


def _too_large(limit: int) -> ModelRefused:
    return ModelRefused(
        reason=f"what lies there is larger than {limit:,} bytes",
        remedy="see that the address is that of a model's weights",
    )


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Turn what urllib raises into our errors; none of them is an OSError, which a disk's would be."""
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()
        what = f"{shown(url)} answers {error.code} ({error.reason})"
        if error.code < 500 and error.code not in {408, 429}:
            raise _NothingThere(reason=what, remedy="see that the address is right") from error
        raise DownloadFailed(reason=f"{what}.", remedy="Try again later.") from error
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise DownloadFailed(
            reason=f"{shown(url)} cannot be fetched: {reason}.",
            remedy="See that this machine reaches it, then try again.",
        ) from error
