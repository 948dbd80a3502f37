"""The command ``genrec``, and ``python -m genrec`` for launchers that start a module (``torchrun -m genrec``).

Nothing heavy is imported before signals have an answer: Ctrl-C while a command still loads ends it with one line, too.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import Any


def main() -> None:
    """Entry point of the console script."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, _end)
    from genrec.cli.main import main as run

    run()


def _end(number: int, frame: Any) -> None:
    """Before a command begins and after it has ended: nothing is being written."""
    with suppress(Exception):  # a closed pipe, or a write in progress
        sys.stdout.flush()
        os.write(sys.stderr.fileno(), b"\nStopped.\n")
    os._exit(128 + number)


if __name__ == "__main__":
    main()
