import pytest


@pytest.mark.parametrize(
    "words",
    [["station"], ["station", "--until-idle"], ["worker"], ["db", "upgrade"], ["--home", "/h", "status"]],
    ids=" ".join,
)
def test_a_real_command_is_accepted(command_fault, words):
    assert command_fault(words) is None


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["stations"],
        ["db"],
        ["db", "migrate"],
        ["worker", "--queue", "bulk"],
        ["ingest", "extra"],
        ["--house", "/h", "status"],
    ],
    ids=" ".join,
)
def test_a_command_or_option_that_does_not_exist_is_told(command_fault, words):
    assert command_fault(words) is not None


def test_an_unknown_setting_is_told(unknown_settings):
    assert unknown_settings("SAEK_HOME=/a SAEK_HOMES=/b SAEK_INBOX: /c") == ["SAEK_HOMES"]
