"""Downloads over TLS, limited in size and time.

Threats and defenses: the bytes may be wrong (the caller compares a checksum from another source), too many (a
limit on the declared and on the received size) or endless (time limits). A redirect may lead from TLS to
plain HTTP or to this machine's own services (both are refused). An address may carry a password into a log
(refused). Plain HTTP is allowed to this machine only. Residual risk: a server learns who asks, and can
withhold the file.
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
"""Seconds that a server may send nothing."""
WHOLE_SECONDS = 3600.0
"""Maximum time for a whole file."""
MAX_REDIRECTS = 5

DownloadProgress = Callable[[int, int | None], None]
"""Called with the bytes received, and with the total if the server declares it."""


def fetch(url: str, limit: int, progress: DownloadProgress | None = None) -> Iterator[bytes]:
    """Yield the content of an https:// address, or an http:// address of this machine, in chunks.

    Raises:
        restoration.ModelRefused: the address is not allowed, there is no such file, or it is larger than
        `limit`
            bytes.
        DownloadFailed: the server or the network fails.
    """
    parts = urlsplit(url)
    _require_allowed(parts)
    with (
        _translated_errors(url),
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
                    reason=f"{shown(url)} was not complete after {WHOLE_SECONDS:.0f} s.", remedy="Try again."
                )
            if progress is not None:
                progress(here, total)
            yield chunk
        if total is not None and here < total:
            raise DownloadFailed(
                reason=f"{shown(url)} broke off after {here:,} of {total:,} bytes.", remedy="Try again."
            )


def fetch_small(url: str, limit: int) -> bytes | None:
    """Return the content of an address, None if there is no such file. Raises as `fetch`."""
    try:
        return b"".join(fetch(url, limit))
    except _NoSuchFile:
        return None


def shown(url: str) -> str:
    """Return the address for display, without user and query, which may hold a password or key."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


class _NoSuchFile(ModelRefused):
    """The server answers that there is no such file or no access."""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Redirects only to allowed addresses, and never from TLS to plain HTTP."""

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
                reason=f"{shown(req.full_url)} redirects from https to {shown(newurl)}",
                remedy="use an address that stays on https",
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener(*, direct: bool) -> urllib.request.OpenerDirector:
    """Return an opener for http and https alone, `direct` or by the proxy of the environment.

    Other handlers of urllib read local files.
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
            remedy="download the file by other means, then import it",
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
        reason=f"the file is larger than {limit:,} bytes",
        remedy="check that the address is that of a model's weights",
    )


@contextmanager
def _translated_errors(url: str) -> Iterator[None]:
    """Turn errors of urllib into ours, none of which is an OSError, as that of a disk would be."""
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()
        what = f"{shown(url)} answers {error.code} ({error.reason})"
        if error.code < 500 and error.code not in {408, 429}:
            raise _NoSuchFile(reason=what, remedy="check the address") from error
        raise DownloadFailed(reason=f"{what}.", remedy="Try again later.") from error
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise DownloadFailed(
            reason=f"{shown(url)} cannot be fetched: {reason}.",
            remedy="Check that this machine can reach it, then try again.",
        ) from error
