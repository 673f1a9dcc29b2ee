"""What CONTRIBUTING.md and docs/architecture.md say of the code is true."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("restoration", "db", "worker")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))
RULES_SINCE = "2026-11-28T13:05:00+00:00"
"""When the rule for the subjects of commits was made."""


def row_of(folder: Path) -> str:
    """Return the row of docs/architecture.md that lists the modules of a package."""
    modules = sorted(path.stem for path in folder.glob("*.py") if path.stem not in {"__init__", "__main__"})
    says = ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8"))) or ""
    what = says.partition("\n\n")[0].replace("\n", " ")
    name = ".".join(folder.relative_to(ROOT).parts)
    return f"| `{name}` | {what} | {', '.join(modules)} |"


@pytest.mark.parametrize(
    "folder",
    [path.parent for path in MODULES if path.name == "__init__.py" and path.parent.name != "versions"],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_the_architecture_page_lists_each_package(folder: Path) -> None:
    assert row_of(folder) in (ROOT / "docs" / "architecture.md").read_text("utf-8").splitlines()


def test_the_architecture_page_lists_no_other_package() -> None:
    listed = re.findall(
        r"^\| `((?:restoration|db|worker)[a-z0-9_.]*)` \|",
        (ROOT / "docs" / "architecture.md").read_text("utf-8"),
        re.MULTILINE,
    )
    assert [name for name in listed if not ROOT.joinpath(*name.split("."), "__init__.py").is_file()] == []


def test_modules_hold_one_idea_of_at_most_400_lines() -> None:
    lines = {path: path.read_text("utf-8").count("\n") for path in MODULES}
    assert {str(path.relative_to(ROOT)): count for path, count in lines.items() if count > 400} == {}


def test_each_module_says_in_a_sentence_what_it_holds() -> None:
    first = {
        str(path.relative_to(ROOT)): (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").split(
            "\n\n"
        )[0]
        for path in MODULES
    }
    assert [path for path, sentence in first.items() if not sentence.endswith(".")] == []


def test_names_of_tests_have_at_most_60_characters() -> None:
    names = re.compile(r"^ *(?:async )?def (test_\w{56,})", re.MULTILINE)
    assert {name for path in TESTS for name in names.findall(path.read_text("utf-8"))} == set()


def test_subjects_of_commits_are_short_statements() -> None:
    command = ["git", "log", "--no-merges", f"--since={RULES_SINCE}", "--format=%s"]
    log = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert [subject for subject in log.stdout.splitlines() if not 12 <= len(subject) <= 72] == []
