import re
import shlex
from functools import partial

import pytest

from worker.exits import Exit
from worker.settings import Settings
from worker.station import part, supervisor

UNITS = ("saek-station.service", "saek-ingest.service", "saek-dispatch.service", "saek-worker@.service")
SWITCHES = ("NoNewPrivileges", "PrivateTmp", "ProtectHome", "ProtectKernelTunables", "RestrictSUIDSGID")
COLORS = {"saek-station.service", "saek-worker@.service"}


def unit(text):
    """Settings of a unit by section; each may stand more than once."""
    sections = {}
    for line in text.splitlines():
        if line.startswith("["):
            section = sections.setdefault(line.strip("[]"), {})
        elif line.strip() and not line.startswith("#"):
            key, _, value = line.partition("=")
            section.setdefault(key, []).append(value)
    return sections


def one(service, key):
    return service.get(key, [None])[-1]


def words(service, key):
    return " ".join(service.get(key, [])).split()


def longest_stop(name):
    """Seconds that an orderly stop may take: a station stops its parts one after the other."""
    drain = Settings.model_fields["drain_seconds"].default
    parts = len(supervisor.PARTS) if name == "saek-station.service" else 1
    return parts * (drain + part._GRACE_SECONDS)


def faults(name, text, command_fault, unknown_settings):
    service = unit(text)["Service"]
    return [
        *start_faults(name, service, command_fault),
        *stop_faults(name, service),
        *hardening_faults(name, service),
        *(f"{setting} is no setting" for setting in unknown_settings(text)),
    ]


def start_faults(name, service, command_fault):
    program, *command = shlex.split(one(service, "ExecStart"))
    if not re.fullmatch(r"/\S+/saek", program):
        yield f"starts {program}"
    fault = command_fault(command)
    if fault:
        yield fault
    if not service.get("EnvironmentFile"):
        yield "reads no environment file"
    if one(service, "Restart") != "on-failure":
        yield "stays down after a crash"
    hopeless = {Exit.USAGE, Exit.SETTINGS, Exit.MODEL}
    if name == "saek-station.service":
        hopeless.add(Exit.BUSY)
    if set(map(int, words(service, "RestartPreventExitStatus"))) != hopeless:
        yield "restarts where nothing can have changed, or not where something may have"


def stop_faults(name, service):
    if float(one(service, "TimeoutStopSec") or 0) < longest_stop(name):
        yield f"is killed before it has drained ({longest_stop(name)} s)"
    if one(service, "KillMode") != "mixed":
        yield "children are stopped behind their parent's back"
    if name in COLORS and one(service, "OOMPolicy") != "continue":
        yield "one picture too large for memory stops everything"


def hardening_faults(name, service):
    if one(service, "User") in (None, "root", "0"):
        yield f"runs as {one(service, 'User')}"
    if one(service, "ProtectSystem") != "strict":
        yield "may write to the system"
    for switch in (
        "NoNewPrivileges",
        "PrivateTmp",
        "ProtectHome",
        "RestrictSUIDSGID",
        "ProtectKernelTunables",
    ):
        if one(service, switch) != "yes":
            yield f"{switch} is off"
    if service.get("CapabilityBoundingSet") != [""]:
        yield "keeps capabilities"
    if one(service, "MemoryDenyWriteExecute") == "yes":
        yield "torch cannot compile"
    if name in COLORS and one(service, "PrivateDevices") == "yes":
        yield "the GPU is hidden"
    shut = {
        path.lstrip("-") for key in ("ReadOnlyPaths", "InaccessiblePaths") for path in words(service, key)
    }
    if not any(path.endswith("/inbox") for path in shut):
        yield "could write to the masters"
    if any(path.endswith("/inbox") for path in words(service, "ReadWritePaths")):
        yield "could write to the masters"
    if f"/var/lib/{one(service, 'StateDirectory')}" not in words(service, "ReadWritePaths"):
        yield "cannot write to its home"


@pytest.fixture
def check(command_fault, unknown_settings):
    return partial(faults, command_fault=command_fault, unknown_settings=unknown_settings)


@pytest.fixture(scope="module")
def units(root):
    return {name: (root / "deploy/systemd" / name).read_text() for name in UNITS}


def test_there_are_no_other_units(root, units):
    assert {path.name for path in (root / "deploy/systemd").glob("*.service")} == set(units)


@pytest.mark.parametrize("name", UNITS)
def test_units_start_drain_and_protect_the_masters(units, check, name):
    assert check(name, units[name]) == []


@pytest.mark.parametrize(
    ("name", "sound", "broken", "told"),
    [
        ("saek-station.service", "saek station", "saek run", "saek run"),
        ("saek-worker@.service", "saek worker", "saek worker --lane bulk", "--lane"),
        ("saek-station.service", "TimeoutStopSec=150", "TimeoutStopSec=90", "drained (140"),
        ("saek-worker@.service", "TimeoutStopSec=60", "TimeoutStopSec=20", "drained (35"),
        ("saek-worker@.service", "KillMode=mixed", "KillMode=control-group", "behind their parent"),
        ("saek-worker@.service", "OOMPolicy=continue", "", "too large for memory"),
        ("saek-ingest.service", "User=saek", "User=root", "runs as root"),
        ("saek-ingest.service", "User=saek", "", "runs as None"),
        ("saek-dispatch.service", "ProtectSystem=strict", "ProtectSystem=full", "write to the system"),
        ("saek-dispatch.service", "NoNewPrivileges=yes", "NoNewPrivileges=no", "NoNewPrivileges is off"),
        ("saek-station.service", "CapabilityBoundingSet=", "CapabilityBoundingSet=CAP_CHOWN", "capabilities"),
        ("saek-worker@.service", "LimitCORE=0", "MemoryDenyWriteExecute=yes", "torch cannot compile"),
        ("saek-worker@.service", "PrivateTmp=yes", "PrivateDevices=yes\nPrivateTmp=yes", "GPU is hidden"),
        ("saek-ingest.service", "ReadOnlyPaths=/srv/saek/inbox", "", "write to the masters"),
        ("saek-worker@.service", "/srv/saek/outbox\nRead", "/srv/saek/inbox\nRead", "write to the masters"),
        ("saek-station.service", "ReadWritePaths=/var/lib/saek ", "ReadWritePaths=", "write to its home"),
        ("saek-station.service", "SAEK_LOG_FORMAT", "SAEK_LOGFORMAT", "SAEK_LOGFORMAT is no setting"),
        ("saek-worker@.service", "EnvironmentFile=", "Nothing=", "no environment file"),
        ("saek-station.service", "Restart=on-failure", "Restart=no", "stays down"),
        ("saek-station.service", "2 3 8 9", "2 3 4 9", "nothing can have changed"),
    ],
)
def test_a_planted_fault_is_found(units, check, *, name, sound, broken, told):
    assert sound in units[name]
    planted = units[name].replace(sound, broken)
    assert [fault for fault in check(name, planted) if told in fault]


def test_the_settings_of_the_example_file_exist(root, unknown_settings):
    example = (root / "deploy/systemd/saek.env.example").read_text()
    assert "SAEK_DATABASE_URL" in example
    assert unknown_settings(example) == []


def test_distributed_units_wait_for_their_folders(units):
    for name in ("saek-ingest.service", "saek-worker@.service"):
        sections = unit(units[name])
        used = [
            path
            for key in ("ReadOnlyPaths", "ReadWritePaths")
            for path in words(sections["Service"], key)
            if path.startswith("/srv/")
        ]
        assert set(words(sections["Unit"], "RequiresMountsFor")) == set(used)
