"""What foreign content broke, in words: the texts of Python's own errors mean nothing to who has a damaged file."""

from __future__ import annotations

import json
import pickle
import re

_OF_SETTING = re.compile(r"for (?:field|validator) '(\w+)'")
_PYTHONS = re.compile(
    r"argument|could not convert|invalid literal|unpack|not supported between|object |attribute|iterable|indices"
    r"|dictionary update|negative dimension|shape|size|cast|NoneType|instance of"
)
_TORCH_WRITING = re.compile(r"PytorchStreamWriter|inline_container|iostream error")
_WRONG_VALUE = "a value in it is of another kind or size than it must be"
_PLAIN = (TypeError, AttributeError, IndexError, ArithmeticError, AssertionError, NotImplementedError)


def in_words(error: BaseException) -> str:
    """Why something cannot be read, to follow a colon.

    >>> in_words(KeyError("capacity")), in_words(TypeError("'int' object is not iterable"))
    ("it has no 'capacity'", 'a value in it is of another kind or size than it must be')
    """
    said = (str(error).strip().splitlines() or [""])[0]
    if isinstance(error, json.JSONDecodeError):
        return f"it is no JSON from line {error.lineno}, column {error.colno} on"
    if isinstance(error, KeyError):
        return f"it has no {said}" if said and said != "None" else _WRONG_VALUE
    if isinstance(error, pickle.UnpicklingError):
        return "it holds objects of Python, which are never read"
    if isinstance(error, UnicodeDecodeError):
        return "it is no UTF-8 text"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    if isinstance(error, MemoryError):
        return "what it asks for takes more memory than there is"
    if found := _OF_SETTING.search(said):
        return f"its setting '{found[1]}' has a value that it cannot have"
    if isinstance(error, _PLAIN) or (isinstance(error, ValueError | RuntimeError) and _PYTHONS.search(said)):
        return _WRONG_VALUE
    return said or _WRONG_VALUE


def is_of_writing(error: RuntimeError) -> bool:
    """Whether PyTorch could not write a file: its error has no number, and looks like any other."""
    return _TORCH_WRITING.search(str(error)) is not None
