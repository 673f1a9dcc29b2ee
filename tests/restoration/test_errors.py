import pickle
from pathlib import Path

import pytest

from restoration import errors


def _all_kinds(kind: type[errors.RestorationError]) -> list[type[errors.RestorationError]]:
    return [kind, *(below for child in kind.__subclasses__() for below in _all_kinds(child))]


KINDS = [k for k in _all_kinds(errors.RestorationError) if k.__module__ == errors.__name__]


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in KINDS]
    assert len(set(codes)) == len(codes)
    assert all(code == code.lower() and " " not in code for code in codes)


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_is_one_line_naming_file_reason_and_remedy(kind: type[errors.RestorationError]) -> None:
    error = kind(reason="it is torn", remedy="glue it", path=Path("box\n7") / "plate.tif")
    assert str(error) == "box\\n7/plate.tif: it is torn; glue it"


def test_a_name_that_is_not_utf_8_is_shown_with_escapes() -> None:
    error = errors.EmptyFile(reason="it is empty", remedy="fill it", path=Path("\udcc7\udcd1.tif"))
    assert str(error).encode() == b"\\xc7\\xd1.tif: it is empty; fill it"


def test_an_error_survives_the_way_between_processes() -> None:
    error = errors.NoSpace(reason="full", remedy="wait", path="/data")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.path) == (errors.NoSpace, str(error), Path("/data"))


def test_only_the_masters_faults_are_master_errors() -> None:
    assert not issubclass(errors.NoSpace, errors.MasterError)
    assert not issubclass(errors.LumaMismatch, errors.MasterError)
    assert issubclass(errors.AlreadyColor, errors.MasterError)
