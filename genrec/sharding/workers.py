"""Shards made by several processes of one machine; a process that dies is replaced and its shard made again."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from genrec.errors import GenRecError, ModelError
from genrec.sharding.job import JobSettings, ShardedJob
from genrec.threads import usable_cores

_TRIES = 3
Done = Callable[[dict[str, Any]], None]


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    shard: int | None = None


def run_workers(job: ShardedJob, settings: JobSettings, shards: list[int], workers: int, done: Done) -> None:
    """Make shards with ``workers`` processes; each gets an equal share of the cores.

    Args:
        job: Where everything stands.
        settings: Each process opens the recommender with them.
        shards: Those that are left.
        workers: Number of processes.
        done: Called with the counts of every finished shard.

    Raises:
        GenRecError: A worker could not do its work; the message is its own.
        ModelError: The same shard has killed its process three times.
    """
    context = multiprocessing.get_context("spawn")
    queue = list(reversed(shards))
    tries = dict.fromkeys(shards, 0)
    threads = max(1, usable_cores() // workers)

    def start() -> _Worker:
        mine, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, job, settings, threads), daemon=True)
        with _without_here():
            process.start()
        theirs.close()
        return _Worker(process, mine)

    running = [start() for _ in range(min(workers, len(shards)))]
    left = len(shards)
    try:
        for worker in running:
            _give(worker, queue)
        while left:
            wait([thing for worker in running for thing in (worker.pipe, worker.process.sentinel)])
            for worker in list(running):
                answer = _answer(worker)
                if isinstance(answer, GenRecError):
                    raise answer
                if answer is not None:
                    left -= 1
                    worker.shard = None
                    done(answer)
                    _give(worker, queue)
                elif not worker.process.is_alive():
                    running.remove(worker)
                    if worker.shard is not None:
                        running.append(_replacement(worker, queue, tries, start))
    finally:
        for worker in running:
            worker.process.terminate()
        for worker in running:
            worker.process.join()


@contextmanager
def _without_here() -> Iterator[None]:
    """A new Python begins to import before it is told where from: files of the current folder must not be found then.

    A ``types.py`` or ``random.py`` of the user would else stand in for Python's own. Afterwards its path is ours.
    """
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONSAFEPATH"]
        else:
            os.environ["PYTHONSAFEPATH"] = before


def _give(worker: _Worker, queue: list[int]) -> None:
    if queue and worker.shard is None:
        worker.shard = queue.pop()
        try:
            worker.pipe.send(worker.shard)
        except OSError:  # it has just died; the shard is given out again when that is noticed
            return


def _answer(worker: _Worker) -> Any:
    """What a worker has sent; None where there is nothing (yet)."""
    try:
        return worker.pipe.recv() if worker.pipe.poll() else None
    except (EOFError, OSError):
        return None


def _replacement(worker: _Worker, queue: list[int], tries: dict[int, int], start: Callable[[], _Worker]) -> _Worker:
    """A new process for the shard of one that died."""
    shard = worker.shard if worker.shard is not None else -1
    tries[shard] += 1
    if tries[shard] >= _TRIES:
        raise ModelError(
            f"Three processes in turn died while they made shard {shard} (exit code {worker.process.exitcode}).",
            hint="Memory may be short: use fewer --workers or a smaller --batch-users. Finished shards are kept.",
        )
    queue.append(shard)
    fresh = start()
    _give(fresh, queue)
    return fresh


def _work(pipe: Connection, job: ShardedJob, settings: JobSettings, threads: int) -> None:
    """A worker process: shards come through the pipe, counts or an error go back."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the main process ends the others
    _end_with_parent()
    from genrec.sharding.opened import OpenedJob
    from genrec.sharding.shard import make_shard

    try:
        opened = OpenedJob.open(settings)
        if "torch" in sys.modules:  # a baseline needs none, and a process starts sooner without it
            sys.modules["torch"].set_num_threads(threads)
        while True:
            pipe.send(make_shard(job, opened, pipe.recv()))
    except EOFError:
        return
    except GenRecError as error:
        pipe.send(error)


def _end_with_parent() -> None:
    """No worker outlives the main process, however that ended."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
