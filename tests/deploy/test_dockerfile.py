import json
import re
import shlex
import tomllib
from dataclasses import dataclass
from functools import partial

import pytest


@dataclass(frozen=True, slots=True)
class Step:
    word: str
    text: str


def steps(dockerfile):
    """The instructions of a Dockerfile, comments dropped and continued lines joined."""
    lines = [line for line in dockerfile.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    found = [line.strip().partition(" ") for line in joined.splitlines() if line.strip()]
    return [Step(word.upper(), text.strip()) for word, _, text in found]


def values(found, word):
    return [step.text for step in found if step.word == word]


def arguments(found):
    """Build arguments and their defaults."""
    return {name: default for name, _, default in (text.partition("=") for text in values(found, "ARG"))}


def faults(dockerfile, command_fault, unknown_settings):
    found = steps(dockerfile)
    return [
        *image_faults(found),
        *user_faults(found),
        *pip_faults(found),
        *command_faults(found, command_fault),
        *(f"{name} is no setting" for name in unknown_settings(dockerfile)),
        *(f"downloads: {text}" for text in values(found, "RUN") if re.search(r"\b(curl|wget)\b", text)),
        *(f"downloads: {text}" for text in values(found, "ADD")),
    ]


def image_faults(found):
    defaults = arguments(found)
    for text in values(found, "FROM"):
        image = re.sub(r"\$\{(\w+)\}", lambda m: defaults[m[1]], text).split()[0]
        if not re.search(r":\d+\.\d+\.\d+-slim", image):
            yield f"image is not pinned to a slim version: {image}"


def user_faults(found):
    last_stage = found[max(i for i, step in enumerate(found) if step.word == "FROM") :]
    users = values(last_stage, "USER")
    if not users or not re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1]):
        yield f"does not end as a numbered user other than root: {users}"


def pip_faults(found):
    for step in found:
        for command in re.findall(r"pip install [^;&|]*", step.text):
            if "--constraint constraints.txt" not in command:
                yield f"not held to constraints.txt: {command}"
    if not any("PIP_NO_CACHE_DIR=1" in text for text in values(found, "ENV")):
        yield "pip keeps a cache"


def command_faults(found, command_fault):
    entry = json.loads(values(found, "ENTRYPOINT")[-1])
    if entry != ["tini", "--", "saek"]:
        yield f"nothing passes signals on: {entry}"
    check = re.search(r"CMD (\[.*\])", values(found, "HEALTHCHECK")[-1])
    health = json.loads(check[1])
    if health[0] != "saek":
        yield f"health is not asked of saek: {health}"
    for words in (json.loads(values(found, "CMD")[-1]), health[1:]):
        fault = command_fault(words)
        if fault:
            yield fault


@pytest.fixture
def check(command_fault, unknown_settings):
    return partial(faults, command_fault=command_fault, unknown_settings=unknown_settings)


@pytest.fixture(scope="module")
def dockerfile(root):
    return (root / "deploy/Dockerfile").read_text()


def test_the_image_is_pinned_unprivileged_and_starts(dockerfile, check):
    assert check(dockerfile) == []


@pytest.mark.parametrize(
    ("sound", "broken", "told"),
    [
        ("PYTHON_VERSION=3.11.14", "PYTHON_VERSION=3", "not pinned"),
        ("USER 10001:10001", "USER root", "other than root"),
        ("USER 10001:10001", "", "other than root"),
        ("pip install --constraint constraints.txt", "pip install", "constraints.txt"),
        ("PIP_NO_CACHE_DIR=1", "PIP_QUIET=1", "cache"),
        ('CMD ["station"]', 'CMD ["serve"]', "saek serve"),
        ('"saek", "doctor"]', '"saek", "doctor", "--quick-look"]', "--quick-look"),
        ('["tini", "--", "saek"]', '["saek"]', "signals"),
        ("SAEK_DEVICE=", "SAEK_DEVISE=", "SAEK_DEVISE is no setting"),
        ("COPY db db", "RUN curl -O https://example.org/weights", "downloads"),
    ],
)
def test_a_planted_fault_is_found(dockerfile, check, sound, broken, told):
    assert sound in dockerfile
    assert [fault for fault in check(dockerfile.replace(sound, broken)) if told in fault]


def test_a_gpu_image_requires_its_gpu(dockerfile):
    found = steps(dockerfile)
    assert arguments(found)["DEVICE"] == "cpu"
    assert "SAEK_DEVICE=${DEVICE}" in " ".join(values(found, "ENV"))


def test_the_label_carries_the_version_of_the_distribution(root, dockerfile):
    version = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    assert arguments(steps(dockerfile))["VERSION"] == version


def test_the_builder_is_sent_what_is_copied_and_nothing_else(root, dockerfile):
    lines = (root / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    allowed = {line[1:] for line in rules if line.startswith("!")}
    copied = {
        source
        for text in values(steps(dockerfile), "COPY")
        if "--from" not in text
        for source in shlex.split(text)[:-1]
    }
    assert rules[0] == "*"
    assert copied == allowed
    assert all((root / name).exists() for name in copied)


def test_the_image_holds_every_package_of_the_distribution(root, dockerfile):
    project = tomllib.loads((root / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    copies = values(steps(dockerfile), "COPY")
    assert {f"{name} {name}" for name in packages} <= set(copies)
