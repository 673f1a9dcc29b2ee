import inspect
import pickle
import re
from pathlib import Path

import pytest

import db.errors
import restoration.errors
import worker.errors
from worker.cli.error_report import exit_code, report_error
from worker.exits import Exit


def _errors(module):
    return [kind for _, kind in inspect.getmembers(module, inspect.isclass) if issubclass(kind, Exception)]


@pytest.mark.parametrize("kind", _errors(restoration.errors), ids=lambda kind: kind.__name__)
def test_each_restoration_error_has_its_exit_code(kind):
    error = kind(reason="r", remedy="m")
    wanted = {
        "MasterError": Exit.MASTER,
        "ReaderFailed": Exit.MASTER,
        "ModelError": Exit.MODEL,
        "Transient": Exit.RETRY,
        "OutputExists": Exit.INCOMPLETE,
    }
    family = next((wanted[base.__name__] for base in kind.__mro__ if base.__name__ in wanted), Exit.INTERNAL)
    assert exit_code(error) is family


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (db.errors.DatabaseUnavailable, Exit.DATABASE),
        (db.errors.SchemaOutOfDate, Exit.DATABASE),
        (db.errors.UnusableLocation, Exit.DATABASE),
        (db.errors.UnsupportedDatabase, Exit.SETTINGS),
        (db.errors.UnknownJob, Exit.NOT_FOUND),
        (db.errors.EmptySelection, Exit.USAGE),
        (db.errors.AmbiguousSelector, Exit.USAGE),
        (db.errors.RecipeConflict, Exit.MODEL),
    ],
)
def test_each_database_error_has_its_exit_code(kind, code):
    assert exit_code(kind(reason="r", remedy="m")) is code


@pytest.mark.parametrize(
    "kind",
    [*_errors(restoration.errors), *_errors(db.errors), *_errors(worker.errors)],
    ids=lambda kind: f"{kind.__module__}.{kind.__name__}",
)
def test_every_error_has_one_shape_and_survives_pickling(kind):
    error = kind(reason="r", remedy="m", path="/data/a.tif")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (again.reason, again.remedy, again.path) == ("r", "m", Path("/data/a.tif"))
    assert re.fullmatch("[a-z]+(-[a-z]+)*", again.code)
    assert str(again) == str(error)


@pytest.mark.parametrize("kind", _errors(worker.errors), ids=lambda kind: kind.__name__)
def test_each_worker_error_has_its_exit_code(kind):
    assert exit_code(kind(reason="r", remedy="m")) is kind.exit_code


def test_an_unexpected_error_is_internal_and_logged(capsys, caplog):
    with pytest.raises(KeyError) as caught:
        {}["x"]
    assert report_error(caught.value) is Exit.INTERNAL
    told = capsys.readouterr()
    assert "Internal error: KeyError: 'x'." in told.err
    assert "Traceback" in told.err + told.out + caplog.text


def test_a_faulty_file_is_named(capsys):
    report_error(
        restoration.errors.EmptyFile(reason="it holds no bytes", remedy="copy it again", path="/in/a.tif")
    )
    assert capsys.readouterr().err == "saek: /in/a.tif: it holds no bytes. Copy it again.\n"
