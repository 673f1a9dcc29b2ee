"""Downloads from a real server on the loopback, and from misbehaving servers."""

import http.server
import socket
import threading
import urllib.request
from collections.abc import Iterator
from email.message import Message

import pytest

from restoration import ModelRefused
from worker.errors import DownloadFailed
from worker.models import download
from worker.models.download import fetch, fetch_small, shown

CONTENT = bytes(range(256)) * 4000


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        match self.path.partition("?")[0]:
            case "/whole":
                self.answer(200, CONTENT, length=len(CONTENT))
            case "/unsaid":
                self.answer(200, CONTENT)
            case "/short":
                self.answer(200, CONTENT[:500_000], length=len(CONTENT))
            case "/boast":
                self.answer(200, b"", length=10**12)
            case "/here":
                self.answer(302, location="/whole")
            case "/round":
                self.answer(302, location="/round")
            case "/passwd":
                self.answer(302, location="file:///etc/passwd")
            case "/away":
                self.answer(302, location="http://203.0.113.1/whole")
            case "/broken":
                self.answer(503)
            case "/mute":
                self.server.released.wait(20)  # type: ignore[attr-defined]
            case _:
                self.answer(404)

    def answer(
        self, code: int, body: bytes = b"", length: int | None = None, location: str | None = None
    ) -> None:
        self.send_response(code)
        if length is not None:
            self.send_header("Content-Length", str(length))
        if location is not None:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    serving = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving.released = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=serving.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{serving.server_port}"
    serving.released.set()  # type: ignore[attr-defined]
    serving.shutdown()
    thread.join()
    serving.server_close()


def whole(url: str, limit: int = 10**7) -> bytes:
    return b"".join(fetch(url, limit))


@pytest.mark.parametrize("path", ["whole", "unsaid", "here", "whole?key=secret"])
def test_a_file_comes_whole(server, path):
    assert whole(f"{server}/{path}") == CONTENT


def test_progress_tells_what_is_here_and_what_will_be(server):
    told = []
    list(fetch(f"{server}/whole", 10**7, lambda here, total: told.append((here, total))))
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [here for here, _ in told] == sorted(here for here, _ in told)


def test_what_is_declared_too_large_is_refused_before_it_comes(server):
    with pytest.raises(ModelRefused, match="larger than"):
        whole(f"{server}/boast")


def test_what_turns_out_too_large_is_refused(server):
    with pytest.raises(ModelRefused, match="larger than 1,000 bytes"):
        whole(f"{server}/unsaid", 1000)


def test_a_file_that_breaks_off_is_no_file(server):
    with pytest.raises(DownloadFailed, match="broke off after 500,000 of 1,024,000 bytes"):
        whole(f"{server}/short")


def test_what_is_not_there_is_told_at_once(server):
    with pytest.raises(ModelRefused, match="404"):
        whole(f"{server}/none")
    assert fetch_small(f"{server}/none", 1000) is None
    assert fetch_small(f"{server}/whole", 10**7) == CONTENT


def test_a_server_in_trouble_may_be_asked_again(server):
    with pytest.raises(DownloadFailed, match="503"):
        whole(f"{server}/broken")


def test_a_server_that_says_nothing_is_given_up(server, monkeypatch):
    monkeypatch.setattr(download, "STALL_SECONDS", 0.2)
    with pytest.raises(DownloadFailed, match="timed out"):
        whole(f"{server}/mute")


def test_nobody_there_is_told():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DownloadFailed, match="cannot be fetched"):
        whole(f"http://127.0.0.1:{port}/x")


def test_circles_end(server):
    with pytest.raises(ModelRefused, match="302"):
        whole(f"{server}/round")


@pytest.mark.parametrize(
    ("path", "said"), [("passwd", "is not allowed"), ("away", "nothing is fetched from")]
)
def test_a_redirect_leads_nowhere_that_could_not_be_asked_for(server, path, said):
    with pytest.raises(ModelRefused, match=said):
        whole(f"{server}/{path}")


def test_a_redirect_never_leaves_tls():
    asked = urllib.request.Request("https://models.example/a.safetensors")
    with pytest.raises(ModelRefused, match="from https to http"):
        download._Redirects().redirect_request(
            asked, None, 302, "Found", Message(), "http://127.0.0.1:6379/a.safetensors"
        )


def test_a_redirect_within_tls_is_followed():
    asked = urllib.request.Request("https://models.example/a.safetensors")
    followed = download._Redirects().redirect_request(
        asked, None, 302, "Found", Message(), "https://cdn.example/a.safetensors"
    )
    assert followed.full_url == "https://cdn.example/a.safetensors"


@pytest.mark.parametrize(
    "url",
    [
        "http://models.example/a.safetensors",
        "http://203.0.113.1/a",
        "ftp://models.example/a",
        "file:///etc/passwd",
        "data:,x",
        "https://",
        "https://user:hush@models.example/a",
    ],
)
def test_an_unsafe_address_is_refused_without_its_password(url):
    with pytest.raises(ModelRefused) as caught:
        whole(url)
    assert "hush" not in str(caught.value)


def test_an_address_is_shown_without_its_keys():
    assert shown("https://user:hush@models.example/a.safetensors?sig=hush#hush") == (
        "https://models.example/a.safetensors"
    )
