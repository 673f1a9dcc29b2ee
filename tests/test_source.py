"""What the shipped packages never do: run what they read."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("worker", "db", "restoration")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

UNPICKLERS = {
    "pickle",
    "cPickle",
    "_pickle",
    "shelve",
    "marshal",
    "dill",
    "cloudpickle",
    "joblib",
    "jsonpickle",
}
RUNNERS = {"eval", "exec", "compile", "__import__"}
SHELLS = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}
TRAINING_STATE = {"restoration/training/checkpoint.py"}
"""Where a run of training keeps its own state between two starts; read with weights_only."""


def offences(source: str, name: str = "a.py") -> Iterator[str]:
    """Yield what a source does that could run what it reads."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (f"imports {n.name}" for n in names if n.name.partition(".")[0] in UNPICKLERS)
            case ast.ImportFrom(module=str(module)) if module.partition(".")[0] in UNPICKLERS:
                yield f"imports from {module}"
            case ast.Call():
                yield from _call(node, ast.unparse(node.func), name)


def _call(call: ast.Call, called: str, name: str) -> Iterator[str]:
    given = {word.arg: ast.unparse(word.value) for word in call.keywords}
    if called in RUNNERS or called in SHELLS or given.get("shell") == "True":
        yield f"calls {called}"
    if called == "torch.load" and given.get("weights_only") != "True":
        yield "torch.load without weights_only=True"
    if called == "torch.save" and name not in TRAINING_STATE:
        yield "torch.save outside of training's own state"
    if given.get("allow_pickle", "False") != "False":
        yield f"{called} with allow_pickle"
    if called in {"yaml.load", "yaml.unsafe_load", "yaml.full_load"}:
        yield called
    if called.rpartition(".")[2] in {"add_safe_globals", "enable_insecure_serializers", "read_pickle"}:
        yield called


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_that_is_read_is_run(path: Path) -> None:
    assert list(offences(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT)))) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "import pickle as p",
        "from pickle import loads",
        "def f():\n    import shelve",
        "from joblib.memory import x",
        "torch.load(f)",
        "torch.load(f, weights_only=False)",
        "torch.save(x, f)",
        "np.load(f, allow_pickle=True)",
        "np.load(f, allow_pickle=anything)",
        "yaml.load(f)",
        "eval('1')",
        "exec(x)",
        "os.system('x')",
        "subprocess.run('x', shell=True)",
        "torch.serialization.add_safe_globals([x])",
        "kombu.enable_insecure_serializers()",
    ],
)
def test_the_search_finds_what_it_looks_for(source: str) -> None:
    assert list(offences(source))


@pytest.mark.parametrize("source", ["model.eval()", "re.compile('x')", "json.loads(x)", "session.execute(x)"])
def test_the_search_takes_nothing_harmless_for_it(source: str) -> None:
    assert not list(offences(source))
