"""A library that does not print: transformers' bars and tables are off while weights are read or written."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_turn = threading.Lock()
_inside = 0
_before = (0, False)


@contextmanager
def quiet_loading() -> Iterator[None]:
    """No progress bars, tables and warnings of transformers inside; any number of threads may be inside at once."""
    global _inside, _before
    from transformers.utils import logging

    with _turn:
        if _inside == 0:
            _before = logging.get_verbosity(), logging.is_progress_bar_enabled()
            logging.set_verbosity_error()
            logging.disable_progress_bar()
        _inside += 1
    try:
        yield
    finally:
        with _turn:
            _inside -= 1
            if _inside == 0:
                logging.set_verbosity(_before[0])
                if _before[1]:
                    logging.enable_progress_bar()
