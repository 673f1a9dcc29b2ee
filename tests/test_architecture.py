"""The packages are used through their public faces, and commands start without what they do not need."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
USERS = [path for folder in ("worker", "benchmarks") for path in sorted((ROOT / folder).rglob("*.py"))]

WORKER = [path for path in USERS if path.is_relative_to(ROOT / "worker")]
TORCH_FACES = {"restoration.training", "restoration.evaluation", "restoration.study"}
"""Faces of `restoration` that load torch, beside that of the package itself."""


def imported_modules(source: str) -> Iterator[str]:
    """Yield the dotted name of each module that a source imports or imports from."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module=str(module)):
                yield module


def modules_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


@pytest.mark.parametrize("path", USERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_db_is_imported_by_its_public_faces(path: Path) -> None:
    modules = list(imported_modules(path.read_text(encoding="utf-8")))
    assert [name for name in modules if name.startswith("db.") and name.count(".") > 1] == []


def test_the_modules_on_the_architecture_page_exist() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    names = set(re.findall(r"`((?:restoration|db|worker)(?:\.[a-z_]+)+)`", page))
    assert len(names) > 20
    paths = {name: ROOT.joinpath(*name.split(".")) for name in names}
    assert [
        name for name, path in paths.items() if not (path.is_dir() or path.with_suffix(".py").is_file())
    ] == []


@pytest.mark.parametrize("path", WORKER, ids=lambda path: str(path.relative_to(ROOT)))
def test_worker_imports_restoration_by_its_faces(path: Path) -> None:
    modules = set(imported_modules(path.read_text(encoding="utf-8")))
    assert {name for name in modules if name.startswith("restoration.")} <= TORCH_FACES


def test_a_deeper_import_of_db_is_found() -> None:
    assert list(imported_modules("def f():\n    from db.core.engine import Database")) == ["db.core.engine"]


@pytest.mark.parametrize("package", ["core", "catalog", "queue", "audit", "reports", "migrations"])
def test_a_face_of_db_exports_what_it_lists(package: str) -> None:
    face = importlib.import_module(f"db.{package}")
    modules = {path.stem for path in (ROOT / "db" / package).glob("*.py")}
    for name in face.__all__:
        exported = getattr(face, name)
        assert name not in modules or inspect.ismodule(exported), f"{name} hides the module of that name"


@pytest.mark.parametrize("face", ["restoration", *sorted(TORCH_FACES)])
def test_a_face_of_restoration_exports_what_it_lists(face: str) -> None:
    code = f"import {face} as face; assert all(hasattr(face, name) for name in face.__all__)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_restoration_loads_no_network_library() -> None:
    loaded = modules_after("import restoration")
    assert "numpy" in loaded
    assert not {"torch", "openvino", "torchvision", "skimage"} & loaded


def test_db_core_loads_no_alembic() -> None:
    loaded = modules_after("import db.core")
    assert "sqlalchemy" in loaded
    assert not {"alembic", "psycopg"} & loaded


def test_the_words_of_the_record_load_no_database() -> None:
    loaded = modules_after("import db.values, db.vocabulary, db.errors, db.filesystems")
    assert not {"sqlalchemy", "alembic", "psycopg"} & loaded
