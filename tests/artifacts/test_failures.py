"""What damaged content breaks is told in words."""

import errno
import json
import os
from pathlib import Path

import pytest

from genrec.artifacts import saved_content
from genrec.artifacts.failures import in_words
from genrec.errors import ArtifactError, ConfigError

WRONG = "a value in it is of another kind or size than it must be"


def _raised(run):
    try:
        run()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (lambda: {}["capacity"], "it has no 'capacity'"),
        (lambda: int("x"), WRONG),
        (lambda: float([1]), WRONG),
        (lambda: None.shape, WRONG),
        (lambda: [][3], WRONG),
        (lambda: 0.0**-1, WRONG),
        (lambda: dict([[1]]), WRONG),
        (lambda: json.loads('{"a": 1\n"b"}'), "it is no JSON from line 2, column 1 on"),
        (lambda: b"\xff".decode(), "it is no UTF-8 text"),
        (lambda: Path("/nowhere/at/all").read_bytes(), "No such file or directory: /nowhere/at/all"),
        (lambda: (_ for _ in ()).throw(ValueError("Invalid task type: 'x'.")), "Invalid task type: 'x'."),
        (lambda: (_ for _ in ()).throw(ValueError("")), WRONG),
        (lambda: (_ for _ in ()).throw(RuntimeError("Validation error for field 'heads':\n")), None),
    ],
)
def test_reasons(run, words):
    assert in_words(_raised(run)) == (words or "its setting 'heads' has a value that it cannot have")


def test_the_error_says_what_where_and_what_to_do():
    with pytest.raises(ArtifactError) as raised, saved_content("fitted quantizer", "runs/index"):
        {}["scale"]
    error = raised.value
    assert error.what == "The fitted quantizer is damaged or of another version: it has no 'scale'."
    assert (error.where, error.hint) == ("runs/index", "Copy the whole folder again, or make it anew.")
    assert isinstance(error.__cause__, KeyError)


def test_a_place_is_named_once():
    with pytest.raises(ArtifactError) as raised, saved_content("index", "runs/index"):
        raise ConfigError("Wrong.", where="runs/index/config.yaml: split")
    assert raised.value.where == "runs/index/config.yaml: split"
    with pytest.raises(ArtifactError) as raised, saved_content("index", "runs/index"):
        raise ConfigError("Wrong.", where="split")
    assert raised.value.where == "runs/index: split"


@pytest.mark.parametrize(
    ("number", "todo"), [(errno.EACCES, "rights"), (errno.EPERM, "rights"), (errno.EMFILE, "ulimit")]
)
def test_what_the_system_does_not_hand_out_is_no_damage(number, todo):
    with pytest.raises(ArtifactError) as raised, saved_content("index", "runs/index"):
        raise OSError(number, os.strerror(number), "runs/index/items.parquet")
    assert raised.value.what == f"The index cannot be read: {os.strerror(number)}."
    assert raised.value.where == "runs/index/items.parquet"
    assert todo in raised.value.hint
    with pytest.raises(ArtifactError, match="damaged"), saved_content("index", "runs/index"):
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "runs/index/items.parquet")
