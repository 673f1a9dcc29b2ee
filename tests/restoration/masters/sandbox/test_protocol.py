"""Whatever a reading process answers is checked."""

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


def test_facts_come_back_as_they_were() -> None:
    told = protocol.receive(reader_of(protocol.frame({"facts": protocol.facts_words(FACTS)})), 0)

    assert told is not None
    assert protocol.facts_of(told[0]["facts"]) == FACTS


@given(name=st.sampled_from(sorted(protocol.facts_words(FACTS))), value=json_values | st.lists(json_values))
def test_facts_of_another_kind_are_refused_or_are_facts(name: str, value: object) -> None:
    words = protocol.facts_words(FACTS) | {name: value}
    try:
        facts = protocol.facts_of(words)
    except protocol.ProtocolError:
        return
    assert isinstance(facts.width, int)
    assert facts.width >= 1
    assert isinstance(facts.format, str)
    assert facts.icc_sha256 is None or isinstance(facts.icc_sha256, str)
    assert facts.dpi is None or len(facts.dpi) == 2


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail_otherwise(data: bytes) -> None:
    try:
        got = protocol.receive(reader_of(data), 100)
    except protocol.ProtocolError:
        return
    assert got is None or isinstance(got[0], dict)


def test_more_than_was_asked_for_is_not_taken() -> None:
    with pytest.raises(protocol.ProtocolError):
        protocol.receive(reader_of(protocol.frame({}, 101) + bytes(101)), 100)


def test_only_errors_that_a_file_can_have_are_passed_on() -> None:
    path = Path("a.tif")
    words = protocol.error_words(TruncatedImage(reason="cut", remedy="copy it", path=None))

    assert isinstance(protocol.error_of(words, path), TruncatedImage)
    for kind in ("OutputExists", "SystemExit", "MasterChanged", "__class__"):
        with pytest.raises(protocol.ProtocolError):
            protocol.error_of(words | {"kind": kind}, path)


@pytest.mark.parametrize("kind", [MasterUnavailable, NoSpace])
def test_a_passing_cause_stays_one(kind: type[MasterUnavailable] | type[NoSpace]) -> None:
    words = protocol.error_words(kind(reason="away", remedy="mount it"))

    assert isinstance(protocol.error_of(words, Path("a.tif")), kind)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(st.sampled_from([".", "..", "a", "a/b", "link", os.fsdecode(b"\xbb\xe7")]), max_size=6),
    start=st.sampled_from(["", "a", "a/b", "link"]),
)
def test_a_relative_path_arrives_as_the_kernel_means(
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

    there = protocol.path_of(protocol.path_words(here))

    monkeypatch.chdir("/")
    assert there.is_absolute()
    if meant is None:
        assert not there.exists()
    else:
        assert os.path.samestat(meant, there.stat())


def test_a_removed_working_folder_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()

    with pytest.raises(MissingFile, match="working folder"):
        protocol.path_words(Path("a.tif"))
    monkeypatch.chdir(tmp_path)
