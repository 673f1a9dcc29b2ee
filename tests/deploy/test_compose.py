import copy
import re
import tomllib
from functools import partial

import pytest
import yaml

from worker.settings import Settings

SAEK_PARTS = {"migrate", "ingest", "dispatch", "worker", "worker-gpu"}
FILES = ("compose.yaml", "compose.worker.yaml")


def filled_in(text):
    """The text with each variable replaced by its default, or by `given` where one is demanded."""
    return re.sub(r"\$\{(\w+)(:-|:\?)?([^}]*)\}", lambda m: m[3] if m[2] == ":-" else "given", text)


def seconds(duration):
    amount, unit = re.fullmatch(r"(\d+)(s|m|h)", duration).groups()
    return int(amount) * {"s": 1, "m": 60, "h": 3600}[unit]


def faults(compose, command_fault, unknown_settings):
    found = []
    for name, service in compose["services"].items():
        told = [*isolation_faults(service), *mount_faults(service), *upkeep_faults(name, service)]
        if name in SAEK_PARTS:
            told += saek_faults(service, command_fault, unknown_settings)
        found += [f"{name}: {fault}" for fault in told]
    return found


def isolation_faults(service):
    if not re.search(r":\d+\.\d+(\.\d+)?(-|$)", service["image"]):
        yield f"image is not pinned to a version: {service['image']}"
    if not re.fullmatch(r"[1-9]\d*:[1-9]\d*", str(service.get("user"))):
        yield f"runs as {service.get('user')}"
    if service.get("ports"):
        yield f"publishes {service['ports']}"
    if service.get("network_mode") or service.get("privileged") or service.get("cap_add"):
        yield "leaves its container"
    if service.get("read_only") is not True:
        yield "may write to its image"
    if service.get("cap_drop") != ["ALL"]:
        yield "keeps capabilities"
    if "no-new-privileges:true" not in service.get("security_opt", []):
        yield "may gain privileges"


def mount_faults(service):
    mounts = {mount["target"]: mount for mount in service["volumes"] if isinstance(mount, dict)}
    inbox, outbox = mounts.get("/inbox"), mounts.get("/outbox")
    if inbox is not None and inbox.get("read_only") is not True:
        yield "could write to the masters"
    if outbox is not None and outbox.get("read_only"):
        yield "cannot write derivatives"
    for mount in (inbox, outbox):
        if mount is not None and mount["bind"].get("create_host_path") is not False:
            yield f"a mistyped folder for {mount['target']} would be made, empty"


def upkeep_faults(name, service):
    if not service.get("restart"):
        yield "stays down after a crash"
    if "memory" not in service["deploy"]["resources"]["limits"]:
        yield "has no memory limit"
    if name not in SAEK_PARTS and "test" not in service.get("healthcheck", {}):
        yield "has no health check"


def saek_faults(service, command_fault, unknown_settings):
    drain = Settings.model_fields["drain_seconds"].default
    if seconds(service.get("stop_grace_period", "10s")) <= drain + 15:
        yield f"is killed before it has drained ({drain} s and the time to stop)"
    fault = command_fault(service["command"])
    if fault:
        yield fault
    for name in unknown_settings(" ".join(service["environment"])):
        yield f"{name} is no setting"


@pytest.fixture
def check(command_fault, unknown_settings):
    return partial(faults, command_fault=command_fault, unknown_settings=unknown_settings)


def load(root, name):
    return yaml.safe_load(filled_in((root / "deploy" / name).read_text()))


@pytest.mark.parametrize("name", FILES)
def test_every_service_is_shut_in_watched_and_starts_what_exists(root, check, name):
    assert check(load(root, name)) == []


def plant(service, path, value):
    *parents, last = path
    for step in parents:
        service = service[step]
    service[last] = value


@pytest.mark.parametrize(
    ("service", "path", "value", "told"),
    [
        ("redis", ["image"], "valkey/valkey:latest", "not pinned"),
        ("postgres", ["image"], "postgres", "not pinned"),
        ("redis", ["ports"], ["6379:6379"], "publishes"),
        ("postgres", ["ports"], ["127.0.0.1:5432:5432"], "publishes"),
        ("worker", ["user"], "0:0", "runs as 0:0"),
        ("ingest", ["user"], None, "runs as None"),
        ("worker", ["read_only"], False, "write to its image"),
        ("dispatch", ["cap_drop"], ["NET_RAW"], "capabilities"),
        ("worker", ["security_opt"], [], "gain privileges"),
        ("worker", ["network_mode"], "host", "leaves its container"),
        ("ingest", ["volumes", 0, "read_only"], False, "write to the masters"),
        ("worker-gpu", ["volumes", 0, "read_only"], None, "write to the masters"),
        ("worker", ["volumes", 1, "read_only"], True, "cannot write derivatives"),
        ("worker", ["volumes", 1, "bind"], {}, "mistyped folder"),
        ("worker", ["stop_grace_period"], "20s", "killed before it has drained"),
        ("worker", ["command"], ["work"], "saek work"),
        ("migrate", ["command"], ["db", "migrate"], "db migrate"),
        ("ingest", ["command"], ["ingest", "--fast"], "--fast"),
        ("worker", ["environment"], {"SAEK_THREAD": "2"}, "SAEK_THREAD is no setting"),
        ("worker", ["deploy", "resources", "limits"], {}, "no memory limit"),
        ("redis", ["restart"], None, "stays down"),
        ("postgres", ["healthcheck"], {}, "no health check"),
    ],
)
def test_a_planted_fault_is_found(root, check, *, service, path, value, told):
    compose = copy.deepcopy(load(root, "compose.yaml"))
    plant(compose["services"][service], path, value)
    found = check(compose)
    assert [fault for fault in found if fault.startswith(f"{service}: ") and told in fault]


def test_all_parts_are_there_and_the_tables_come_first(root):
    services = load(root, "compose.yaml")["services"]
    assert set(services) == {"redis", "postgres", *SAEK_PARTS}
    assert services["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in SAEK_PARTS - {"migrate"}:
        assert services[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_the_broker_persists_and_hides_its_password(root):
    redis = load(root, "compose.yaml")["services"]["redis"]
    script = redis["command"][-1]
    command_line, _, given_by_input = script.partition("<<")
    for option in ("--appendonly yes", "--appendfsync everysec", "--maxmemory-policy noeviction"):
        assert option in command_line
    assert "requirepass" not in command_line
    assert "requirepass $$REDIS_PASSWORD" in given_by_input


def test_the_network_of_broker_and_database_has_no_way_in_or_out(root):
    compose = load(root, "compose.yaml")
    assert compose["networks"] == {"inside": {"internal": True}}
    assert all(service["networks"] == ["inside"] for service in compose["services"].values())


@pytest.mark.parametrize("name", FILES)
def test_the_gpu_is_asked_for_only_by_the_profile_that_needs_it(root, name):
    services = load(root, name)["services"]
    gpu = services["worker-gpu"]
    assert gpu["profiles"] == ["gpu"]
    assert gpu["build"]["args"]["DEVICE"] == gpu["environment"]["SAEK_DEVICE"] == "cuda"
    devices = gpu["deploy"]["resources"]["reservations"]["devices"]
    assert devices == [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]
    assert "reservations" not in services["worker"]["deploy"]["resources"]


@pytest.mark.parametrize("name", FILES)
def test_a_secret_or_folder_that_is_not_given_is_an_error(root, name):
    text = (root / "deploy" / name).read_text()
    demanded = r"\$\{(POSTGRES_PASSWORD|REDIS_PASSWORD|DATABASE_URL|BROKER_URL|INBOX|OUTBOX)(..)"
    uses = re.findall(demanded, text)
    assert len(uses) >= 4
    assert {mark for _, mark in uses} == {":?"}


@pytest.mark.parametrize("name", FILES)
def test_a_worker_computes_with_as_many_threads_as_it_has_cpus(root, name):
    worker = load(root, name)["services"]["worker"]
    assert worker["environment"]["SAEK_THREADS"] == worker["deploy"]["resources"]["limits"]["cpus"]


def test_every_variable_of_the_compose_files_is_in_the_example(root):
    used = set()
    for name in FILES:
        used |= set(re.findall(r"\$\{(\w+)", (root / "deploy" / name).read_text()))
    example = (root / "deploy/env.example").read_text()
    assert set(re.findall(r"^(\w+)=", example, re.MULTILINE)) == used


def test_the_example_holds_no_secret(root):
    example = (root / "deploy/env.example").read_text()
    assert re.findall(r"^\w*(?:PASSWORD|URL)=(.*)$", example, re.MULTILINE) == [""] * 4


@pytest.mark.parametrize("name", FILES)
def test_images_carry_the_version_of_the_distribution(root, name):
    version = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    services = load(root, name)["services"]
    ours = {service["image"] for part, service in services.items() if part in SAEK_PARTS}
    assert ours == {f"saek:{version}-cpu", f"saek:{version}-cuda"}
