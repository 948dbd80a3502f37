"""Rounds of users on all cores: a thread for each, because users need nothing of one another."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Round = TypeVar("Round")

FEWEST = 8
"""Users of a round that are worth a thread of their own."""


def threads_for(n_users: int, device: str) -> int:
    """How many threads shall take rounds of so many users: one where the device is no CPU, or users are few."""
    return max(1, min(torch.get_num_threads(), n_users // FEWEST)) if device == "cpu" else 1


def side_by_side(rounds: Iterator[Round], answer: Callable[[Round], None], threads: int) -> None:
    """Answer all rounds, by some threads that take the next one whenever they are free.

    The products of one round are too small to share out: beside other busy processes, two threads inside them made 44
    to 77 users a second where one made 104 to 191, and two threads with rounds of their own made 230 to 253.

    Args:
        rounds: Made one at a time, as they are taken.
        answer: Called in one of the threads, in which PyTorch then computes with one thread.
        threads: How many; 1: the calling thread does everything as it is.

    Raises:
        Exception: The first one of ``answer`` or ``rounds``; rounds that nobody has taken are left then.
    """
    if threads <= 1:
        for one in rounds:
            answer(one)
        return
    taking, failed = threading.Lock(), threading.Event()

    def take() -> None:
        torch.set_num_threads(1)
        while not failed.is_set():
            with taking:
                one = next(rounds, None)
            if one is None:
                return
            answer(one)

    def work() -> None:
        try:
            take()
        except BaseException:
            failed.set()
            raise

    before = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(threads, thread_name_prefix="genrec") as pool:
            workers = [pool.submit(work) for _ in range(threads)]
            try:
                for worker in workers:
                    worker.result()
            except BaseException:
                failed.set()
                raise
    finally:
        torch.set_num_threads(before)  # some libraries know one number for all threads
