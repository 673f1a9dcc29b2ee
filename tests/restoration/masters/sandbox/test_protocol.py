"""Messages of a reader process are checked, whatever they hold."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from restoration.errors import MasterUnavailable, MissingFile, NoSpace, TruncatedImage
from restoration.masters.facts import ScanFacts
from restoration.masters.sandbox import protocol

FACTS = ScanFacts("tiff", 20, 10, 1, 16, "gray", False, 1, 1, None, (300.0, 300.0), 999)
json_values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()


def reader_of(data: bytes):
    rest = bytearray(data)

    def read(size: int) -> bytes:
        part = bytes(rest[:size])
        del rest[:size]
        return part

    return read


def test_facts_come_back_unchanged() -> None:
    received = protocol.receive(reader_of(protocol.frame({"facts": protocol.encode_facts(FACTS)})), 0)

    assert received is not None
    assert protocol.decode_facts(received[0]["facts"]) == FACTS


@given(name=st.sampled_from(sorted(protocol.encode_facts(FACTS))), value=json_values | st.lists(json_values))
def test_any_message_is_refused_or_facts(name: str, value: object) -> None:
    message = protocol.encode_facts(FACTS) | {name: value}
    try:
        facts = protocol.decode_facts(message)
    except protocol.ProtocolError:
        return
    assert isinstance(facts.width, int)
    assert facts.width >= 1
    assert isinstance(facts.format, str)
    assert facts.icc_sha256 is None or isinstance(facts.icc_sha256, str)
    assert facts.dpi is None or len(facts.dpi) == 2


@given(st.binary(max_size=200))
def test_any_bytes_are_a_protocol_error_or_a_message(data: bytes) -> None:
    try:
        got = protocol.receive(reader_of(data), 100)
    except protocol.ProtocolError:
        return
    assert got is None or isinstance(got[0], dict)


def test_too_many_raw_bytes_are_refused() -> None:
    with pytest.raises(protocol.ProtocolError):
        protocol.receive(reader_of(protocol.frame({}, 101) + bytes(101)), 100)


def test_only_errors_about_a_file_are_decoded() -> None:
    path = Path("a.tif")
    message = protocol.encode_error(TruncatedImage(reason="cut", remedy="copy it", path=None))

    assert isinstance(protocol.decode_error(message, path), TruncatedImage)
    for kind in ("OutputExists", "SystemExit", "MasterChanged", "__class__"):
        with pytest.raises(protocol.ProtocolError):
            protocol.decode_error(message | {"kind": kind}, path)


@pytest.mark.parametrize("kind", [MasterUnavailable, NoSpace])
def test_a_transient_error_stays_transient(kind: type[MasterUnavailable] | type[NoSpace]) -> None:
    message = protocol.encode_error(kind(reason="away", remedy="mount it"))

    assert isinstance(protocol.decode_error(message, Path("a.tif")), kind)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(st.sampled_from([".", "..", "a", "a/b", "link", os.fsdecode(b"\xbb\xe7")]), max_size=6),
    start=st.sampled_from(["", "a", "a/b", "link"]),
)
def test_a_relative_path_means_the_same_file(
    parts: list[str], start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a" / "b" / "a" / "b").mkdir(parents=True, exist_ok=True)
    if not (tmp_path / "link").is_symlink():
        (tmp_path / "link").symlink_to("a/b")
    monkeypatch.chdir(tmp_path / start)
    here = Path(*parts)
    try:
        meant = os.stat(here)  # noqa: PTH116  (the kernel's own answer)
    except OSError:
        meant = None

    there = protocol.decode_path(protocol.encode_path(here))

    monkeypatch.chdir("/")
    assert there.is_absolute()
    if meant is None:
        assert not there.exists()
    else:
        assert os.path.samestat(meant, there.stat())


def test_a_removed_working_folder_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()

    with pytest.raises(MissingFile, match="working folder"):
        protocol.encode_path(Path("a.tif"))
    monkeypatch.chdir(tmp_path)
