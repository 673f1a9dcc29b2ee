import re

import pytest

import db.errors
import restoration.errors
import worker.errors
from db.queue.failures import CANCELLED_BY_COMMAND, WORKER_DIED
from worker.exits import Exit

PAGES = (
    "docs/operations.md",
    "docs/fixity.md",
    "docs/models.md",
    "docs/troubleshooting.md",
    "docs/recovery.md",
    "docs/security.md",
    "CONTRIBUTING.md",
)
ENDS_WELL = {Exit.OK, Exit.INCOMPLETE, Exit.INTERRUPTED}


def family(error):
    yield error
    for child in error.__subclasses__():
        yield from family(child)


def codes():
    """Every code that a person can meet in the log or in `saek status`."""
    trees = (restoration.errors.RestorationError, db.errors.DatabaseError)
    errors = {error.code for tree in trees for error in family(tree) if error.__module__ == tree.__module__}
    told = {WORKER_DIED, CANCELLED_BY_COMMAND.code, worker.errors.BrokerUnavailable.code}
    return errors | told | {"internal-error", "intake-failed", "name-not-utf-8", "leads-out", "path-too-long"}


def explained(page):
    """The codes that a page explains: first cells of its tables."""
    first_cells = re.findall(r"^\| (`[^|]*) \|", page, re.MULTILINE)
    return {code for cell in first_cells for code in re.findall(r"`([a-z0-9-]+)`", cell)}


def commands(page):
    """The `saek` command lines in code spans and code blocks, as words."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", page, flags=re.MULTILINE | re.DOTALL))
    lines = [line for text in (*blocks, *spans) for line in text.splitlines()]
    found = [re.search(r"(?:^|(?<!-u)\s|/)saek ((?:--home \S+ )?[a-z][^#;|&>]*)", line) for line in lines]
    return [match[1].split() for match in found if match]


def anchors(page):
    """Anchors of the headings of a page, as GitHub makes them."""
    headings = re.findall(
        r"^#+ (.*)$", re.sub(r"^```.*?^```", "", page, flags=re.MULTILINE | re.DOTALL), re.MULTILINE
    )
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead_links(path, page):
    """Links to files of the repository, or to headings of pages, that do not exist."""
    for target in re.findall(r"\]\(([^)\s:]+)\)", page):
        name, _, anchor = target.partition("#")
        file = path.parent / name if name else path
        if not file.exists() or (anchor and anchor not in anchors(file.read_text())):
            yield target


def pages(root):
    return [root / name for name in PAGES] + sorted((root / "docs/decisions").glob("*.md"))


def test_every_code_that_a_person_can_meet_is_explained(root):
    page = (root / "docs/troubleshooting.md").read_text()
    assert codes() - explained(page) == set()


def test_no_code_is_explained_that_does_not_exist(root):
    page = (root / "docs/troubleshooting.md").read_text()
    assert explained(page) - codes() == set()


def test_a_code_that_is_left_out_is_noticed(root):
    page = (root / "docs/troubleshooting.md").read_text()
    assert "no-space" in codes() - explained(page.replace("| `no-space` |", "| no space |"))


def test_every_exit_code_of_a_failure_is_explained(root):
    page = (root / "docs/troubleshooting.md").read_text()
    told = {int(number) for number in re.findall(r"^\| exit (\d+)", page, re.MULTILINE)}
    assert told == set(Exit) - ENDS_WELL
    assert {error.exit_code for error in family(worker.errors.WorkerError)} <= told


def test_every_command_in_the_pages_exists(root, command_fault):
    told = [(path.name, words) for path in pages(root) for words in commands(path.read_text())]
    assert len(told) > 40
    assert [(name, fault) for name, words in told if (fault := command_fault(words))] == []


@pytest.mark.parametrize(
    "line",
    ["Run `saek guess` now.", "```sh\nsudo -u saek /opt/saek/bin/saek --home /h status --loud\n```"],
)
def test_a_command_that_does_not_exist_is_noticed(command_fault, line):
    (words,) = commands(line)
    assert command_fault(words) is not None


def test_every_setting_in_the_pages_exists(root, unknown_settings):
    found = {path.name: unknown_settings(path.read_text()) for path in pages(root)}
    assert {name: names for name, names in found.items() if names} == {}


def test_every_link_in_the_pages_leads_somewhere(root):
    linked = [*root.glob("*.md"), *(root / "docs").rglob("*.md")]
    found = {path.name: list(dead_links(path, path.read_text())) for path in linked}
    assert {name: links for name, links in found.items() if links} == {}


@pytest.mark.parametrize("link", ["no-such-page.md", "README.md#no-such-heading", "#no-such-heading"])
def test_a_dead_link_is_noticed(root, link):
    assert list(dead_links(root / "README.md", f"[x]({link})")) == [link]


def test_every_decision_is_listed(root):
    folder = root / "docs/decisions"
    listed = re.findall(r"\((\d{4}-[^)]+)\)", (folder / "README.md").read_text())
    assert listed == sorted(path.name for path in folder.glob("[0-9]*.md"))
