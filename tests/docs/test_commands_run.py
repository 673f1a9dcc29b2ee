"""Every command line of README.md, CONTRIBUTING.md and docs/ is run as it is typed, from an ordinary folder.

What stands for something else (`DIR`, `/mnt/scans`) is replaced as `lines.toml` says, and so are the sizes of
benchmarks; what needs another machine is named there with the reason. A line that is in no table is run as it
stands and must end with 0, so a new one cannot go untried.
"""

import itertools
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
import tifffile
from blocks import Block, blocks, first_word, pages
from jq_command import folder_of_jq
from PIL import Image
from shell import Ran, Terminal
from skimage import data

from worker.exits import Exit

ROOT = Path(__file__).parents[2]
T = TypeVar("T")

LINES = tomllib.loads((Path(__file__).parent / "lines.toml").read_text(encoding="utf-8"))
SYNOPSES = LINES["synopses"]

OTHER_TERMINAL = r"saek (--home \S+ )?station\b"
"""Lines that run on while the others of the block are typed."""

IN_CLONE = r"make |pip install|python3 -m venv|\.venv/bin/python|sudo|cp deploy"
"""Lines that are typed in a clone of this repository."""

PACKAGES = str(Path(np.__file__).parents[1])

RECIPE_SETS = """fsac_kodachrome osie caltech101 openimages congress wallpaper clothing towneley"""
"""The sets that the shipped training recipes draw from."""

TINY = """
name = "tiny"
evaluation_side = 64
precision = "fp32"
threads = 1
[model]
pretrained = false
[[phase]]
name = "only"
samples = 8
size = 64
batch = 4
"""


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ordinary folder of scans, pictures and models, with the home of a station that has not begun."""
    folder = tmp_path_factory.mktemp("reader")
    camera, moon = data.camera()[::4, ::4], data.moon()[::4, ::4]
    color = [Image.fromarray(one()).resize((128, 112)) for one in (data.astronaut, data.coffee, data.chelsea)]
    for place in (
        "mnt/scans/1963",
        "archive/inbox/1963",
        "mnt/usb/harbor",
        "pictures",
        "eval",
        "backup",
        "runs",
    ):
        (folder / place).mkdir(parents=True)
    tifffile.imwrite(folder / "a.tif", camera)
    Image.fromarray(moon).save(folder / "b.jpg")
    tifffile.imwrite(folder / "mnt/scans/1963/a.tif", np.ascontiguousarray(camera[::-1]))
    tifffile.imwrite(folder / "archive/inbox/1963/a.tif", camera)
    tifffile.imwrite(folder / "archive/inbox/1963/b.tif", moon)
    tifffile.imwrite(folder / "archive/inbox/harbor.tif", camera.T)
    color[0].save(folder / "archive/inbox/color.png")
    for number in range(24):
        color[number % 3].resize((96 + number, 80)).save(folder / f"pictures/{number}.png")
    rows = ["path,split,set"]
    for place, number in itertools.product(RECIPE_SETS.split(), range(6)):
        rows.append(f"{number}.png,train,{place}")
    rows += [f"{number}.png,eval,osie" for number in range(20, 24)]
    (folder / "pictures/manifest.csv").write_text("\n".join(rows) + "\n")
    rows = ["path,split,set"]
    for number in range(4):
        color[number % 3].save(folder / f"eval/{number}.png")
        rows.append(f"{number}.png,{'eval' if number % 2 else 'train'},prokudin")
    (folder / "eval/manifest.csv").write_text("\n".join(rows) + "\n")
    for turn, split in enumerate(("train", "test")):
        (folder / "victorian" / split).mkdir(parents=True)
        for number in range(6):
            picture = color[number % 3].rotate(5 * number + 90 * turn).resize((256, 256))
            picture.save(folder / "victorian" / split / f"{number}.png")
    (folder / "tiny.toml").write_text(TINY)
    (folder / "archive/saek.toml").write_text(
        'preset = "fast"\nsettle_seconds = 0.3\nmin_free_bytes = 1_000_000\n'
    )
    shutil.copy(ROOT / "constraints.txt", folder)
    models = ROOT / "restoration/generators/models"
    card = (models / "archive-1.toml").read_text().replace("archive-1", "harbor")
    for place in (folder, folder / "mnt/usb/harbor"):
        shutil.copy(models / "archive-1.safetensors", place / "harbor.safetensors")
        (place / "harbor.toml").write_text(card)
    return folder


@pytest.fixture
def terminal(folder: Path, tmp_path: Path) -> Iterator[Terminal]:
    """A terminal in that folder, as of somebody who has installed Saek."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("SAEK_", "VIRTUAL_ENV"))
    }
    variables = kept | {
        "HOME": str(folder),
        "PATH": f"{Path(sys.executable).parent}:{folder_of_jq(tmp_path)}:{kept['PATH']}",
        "SAEK_HOME": str(folder / "archive"),
        "OMP_NUM_THREADS": "1",
        "VENV": sys.prefix,
    }
    made = Terminal(folder, variables, tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this repository, without what git ignores."""
    place = tmp_path_factory.mktemp("clone") / "saek"
    ignored = shutil.ignore_patterns(
        ".git", ".venv", ".*_cache", "__pycache__", "demo", "runs", ".hypothesis"
    )
    shutil.copytree(ROOT, place, ignore=ignored)
    for named in ("pyproject.toml", "constraints.txt"):
        os.utime(place / named, (0, 0))  # `make` must not install this copy into the environment of the tests
    (Path(sys.prefix) / ".ready").touch()
    return place


@pytest.fixture(scope="session")
def worked(prepared: Path) -> Path:
    """The folder, after its station has done all that lies in the inbox."""
    words = [sys.executable, "-m", "worker", "--home", "archive", "station", "--until-idle"]
    subprocess.run(words, cwd=prepared, check=True, capture_output=True, timeout=240)
    return prepared


@pytest.fixture
def folder(worked: Path, tmp_path: Path) -> Path:
    """A copy of that folder, which no other test has touched."""
    place = tmp_path / "r"  # short: a socket lies in it
    shutil.copytree(worked, place, ignore=shutil.ignore_patterns("broker.sock", "*.lock"))
    return place


def first_match(table: Mapping[str, T], line: str) -> T | None:
    """Return what a table holds for a line, by how the line begins."""
    return next((value for begin, value in table.items() if re.match(begin, line)), None)


def typed(line: str, page: str, folder: Path) -> str:
    """Return a line with what stands for something else replaced."""
    for placeholder, value in LINES["stands_for"].get(page, {}).items():
        line = re.sub(placeholder, value.format(folder=folder, python=sys.executable), line)
    return line


def lacks_program(line: str) -> bool:
    """Whether a line is of a program that this machine lacks, and that CI installs."""
    program = first_word(line)
    return program in LINES["installed_by_ci"]["programs"] and shutil.which(program) is None


def tried(terminal: Terminal, line: str) -> Ran:
    """Type a line, wait or press Ctrl-C as the tables say."""
    if until := first_match(LINES["until_ctrl_c"], line):
        return terminal.run_until_ctrl_c(line, until[0])
    return terminal.run(line)


def faults_of(block: Block, terminal: Terminal, folder: Path) -> Iterator[str]:
    """Type the lines of a block; yield what ended otherwise than it should."""
    for said in block.lines:
        if first_match(LINES["not_run"], said) or lacks_program(said):
            continue
        line = typed(said, block.page, folder)
        if re.match(OTHER_TERMINAL, line):
            terminal.keep_running(line)
            continue
        for prepare in (command for begin, command in LINES["before"].items() if re.match(begin, line)):
            terminal.run(prepare.replace("{packages}", PACKAGES))
        ran = tried(terminal, line)
        until, ends = first_match(LINES["until_ctrl_c"], line), first_match(LINES["ends"], said)
        wanted = until[1] if until else Exit.OK if ends is None else ends
        if ran.code != wanted or "Traceback" in ran.said:
            yield f"{block.page}:{block.number}: {said!r} ended with {ran.code}:\n{ran.said[-2000:]}"
    if any(codes := terminal.close()):
        yield f"{block.page}:{block.number}: what ran until Ctrl-C ended with {codes}"


RUN = [page for page in pages(ROOT) if page != "docs/commands.md" and any(blocks(ROOT, page))]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", RUN)
def test_every_command_of_a_page_runs_as_typed(page, terminal, folder, clone):
    found = []
    for block in blocks(ROOT, page):
        in_clone = any(re.match(IN_CLONE, line) for line in block.lines)
        terminal.folder = clone if in_clone else folder
        found += faults_of(block, terminal, folder)
    assert not found, "\n".join(found)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("command", SYNOPSES)
def test_what_the_commands_page_shows_in_short_runs(command, terminal):
    lines = SYNOPSES[command]
    (synopsis,) = (
        line for block in blocks(ROOT, "docs/commands.md") for line in joined(block) if is_of(line, command)
    )
    options = set(re.findall(r"(?<![\w-])--?[a-z][a-z0-9-]*", synopsis))
    assert options - set(re.findall(r"(?<![\w-])--?[a-z][a-z0-9-]*", " ".join(lines))) == set()
    for begin, prepare in LINES["before"].items():
        if any(re.match(begin, line) for line in lines):
            terminal.run(prepare.replace("{packages}", PACKAGES))
    ended = [f"{line}: {ran.code}:\n{ran.said[-2000:]}" for line in lines if (ran := terminal.run(line)).code]
    assert not ended, "\n".join(ended)


def joined(block: Block) -> Iterator[str]:
    """Yield the synopses of a block: a line that is indented goes on with the one before."""
    text = "\n".join(block.lines)
    yield from re.sub(r"\n\s+", " ", text).split("\n")


def is_of(synopsis: str, command: str) -> bool:
    """Whether a synopsis is that of a command."""
    return re.match(rf"{command}(?= [^a-z]|$)", synopsis) is not None


@pytest.mark.parametrize("program", LINES["installed_by_ci"]["programs"])
def test_what_a_developer_may_lack_is_installed_by_ci(program):
    assert f"need+=({program})" in (ROOT / ".ci/run").read_text()


def test_no_synopsis_is_left_out():
    shown = [line for block in blocks(ROOT, "docs/commands.md") for line in joined(block)]
    assert [line for line in shown if not any(is_of(line, command) for command in SYNOPSES)] == []


@pytest.mark.parametrize("table", ["not_run", "until_ctrl_c", "ends", "before"])
def test_no_line_of_a_table_is_left_over(table):
    lines = [
        typed(said, page, Path("x"))
        for page in pages(ROOT)
        for block in blocks(ROOT, page)
        for said in block.lines
    ]
    lines += [line for group in SYNOPSES.values() for line in group]
    said = [said for page in pages(ROOT) for block in blocks(ROOT, page) for said in block.lines]
    assert [begin for begin in LINES[table] if not any(re.match(begin, one) for one in [*lines, *said])] == []


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("```sh\nsaek a \\\n    b   # c\n\n# d\nsaek e\n```\n", ("saek a b   # c", "saek e")),
        ("text\n\n    saek a\n        [--b]\n    saek c\n\ntext", ("saek a", "    [--b]", "saek c")),
        ("text\n\n    file -> inbox\n", ()),
        ("```toml\nsaek = 1\n```\n", ()),
        ("text\n    saek a\n", ()),  # a paragraph that goes on
    ],
)
def test_blocks_are_what_a_reader_would_type(tmp_path, text, lines):
    (tmp_path / "page.md").write_text(text)
    assert tuple(line for block in blocks(tmp_path, "page.md") for line in block.lines) == lines


@pytest.mark.parametrize(
    "line", ["saek status --nonsense", "saek guess", "saek restore no.tif -o x/", "false"]
)
def test_a_line_that_fails_is_noticed(line, terminal, folder):
    assert list(faults_of(Block("README.md", 1, (line,)), terminal, folder))


def test_a_command_that_ends_before_ctrl_c_is_noticed(terminal, folder):
    assert list(faults_of(Block("README.md", 1, ("saek status --watch --nonsense",)), terminal, folder))
