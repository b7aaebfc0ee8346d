"""Errors and output between nerfstudio and the plugin."""

import warnings

import pytest

from sinenerf.plugin.edge import RunError, call_nerfstudio, exit_on, silence


def test_an_error_becomes_an_exit_and_then_an_error_again():
    with pytest.raises(SystemExit) as stop, exit_on(RunError):
        raise RunError("no such run")
    assert stop.value.code == "sinenerf: no such run"
    with pytest.raises(RunError, match=r"^no such run$"), call_nerfstudio(), exit_on(RunError):
        raise RunError("no such run")


def test_the_exit_after_ctrl_c_becomes_one_again():
    """It was an error called 130, after which a sweep went on."""
    with pytest.raises(KeyboardInterrupt), call_nerfstudio():
        raise SystemExit(130)


def test_other_errors_pass():
    with pytest.raises(KeyError), call_nerfstudio(), exit_on(RunError):
        raise KeyError("a bug")


def test_silence_ends_with_its_block(capsys):
    with pytest.warns(UserWarning, match="after"):
        with silence():
            print("within")
            warnings.warn("within", UserWarning, stacklevel=1)
        print("after")
        warnings.warn("after", UserWarning, stacklevel=1)
    assert capsys.readouterr().out == "after\n"
