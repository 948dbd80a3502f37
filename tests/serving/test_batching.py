"""What waits together is decoded together, and nobody's answer depends on the company."""

import threading
import time

import numpy as np
import pytest

from genrec.errors import ConfigError
from genrec.recommender import Recommendations
from genrec.serving.asks import Ask, Part, decode
from genrec.serving.batching import Decoder, most_at_once
from genrec.serving.errors import QueueFullError


class Slow:
    """Recommends the item after the last one; waits until it may, and notes what it was asked."""

    def __init__(self):
        self.item_ids = np.array([f"i{n}" for n in range(50)], dtype=object)
        self.gate, self.batches, self.lengths = threading.Event(), [], []
        self.gate.set()

    def answer(self, histories, request):
        self.batches.append(len(histories))
        self.lengths.append([len(one) for one in histories])
        self.gate.wait(10)
        if any(one[-1] == 13 for one in histories):
            raise ConfigError("Thirteen.")
        items = np.array([[one[-1] + 1] for one in histories], dtype=np.int32)
        return Recommendations(items, np.zeros(items.shape, np.float32), self.item_ids)


def ask(*items, **more):
    return Ask(np.array(items, dtype=np.int32), k=1, **more)


@pytest.fixture
def slow():
    return Slow()


@pytest.fixture
def decoder():
    made = Decoder("test", window=0.0, room=300)
    yield made
    made.stop(5)


def first(future):
    return [one.items.tolist() for one in future.result(10)]


def fill(decoder, slow):
    """Hold the thread with one ask until the gate opens."""
    slow.gate.clear()
    holding = decoder.submit(slow, [ask(0)])
    while not slow.batches:
        time.sleep(0.001)
    return holding


def test_what_waits_is_decoded_together(decoder, slow):
    holding = fill(decoder, slow)
    futures = [decoder.submit(slow, [ask(n)]) for n in range(1, 9)]
    assert decoder.waiting == 8
    slow.gate.set()
    assert first(holding) == [[1]]
    assert [first(future) for future in futures] == [[[n + 1]] for n in range(1, 9)]
    assert slow.batches == [1, 8]
    assert decoder.waiting == 0


def test_large_requests_do_not_hold_up_small_ones(decoder, slow):
    fill(decoder, slow)
    done = []
    large = decoder.submit(slow, [ask(n % 12) for n in range(290)])
    small = decoder.submit(slow, [ask(5)])
    for name, future in (("large", large), ("small", small)):
        future.add_done_callback(lambda _, name=name: done.append(name))
    slow.gate.set()
    assert first(large) == [[n % 12 + 1] for n in range(290)]
    assert first(small) == [[6]]
    assert done == ["small", "large"]
    assert slow.batches == [1, 256, 35]


def test_other_kinds_wait_for_their_turn(decoder, slow):
    fill(decoder, slow)
    kinds = [decoder.submit(slow, [ask(n, exclude_seen=bool(n % 2))]) for n in range(1, 7)]
    slow.gate.set()
    assert [first(future) for future in kinds] == [[[n + 1]] for n in range(1, 7)]
    assert slow.batches == [1, 3, 3]


def test_an_error_stays_with_its_request(decoder, slow):
    fill(decoder, slow)
    futures = [decoder.submit(slow, [ask(n)]) for n in (1, 13, 2)]
    slow.gate.set()
    assert [first(futures[0]), first(futures[2])] == [[[2]], [[3]]]
    with pytest.raises(ConfigError, match="Thirteen"):
        futures[1].result(10)
    assert first(decoder.submit(slow, [ask(4)])) == [[5]]


def test_the_queue_is_bounded_and_says_when_to_come_again(decoder, slow):
    fill(decoder, slow)
    full = decoder.submit(slow, [ask(1)] * 300)
    with pytest.raises(QueueFullError) as refused:
        decoder.submit(slow, [ask(2)])
    assert refused.value.retry_s >= 1
    slow.gate.set()
    assert len(full.result(10)) == 300
    assert first(decoder.submit(slow, [ask(2)])) == [[3]]


def test_what_is_given_up_is_not_decoded(decoder, slow):
    fill(decoder, slow)
    futures = [decoder.submit(slow, [ask(n)]) for n in range(1, 5)]
    assert futures[1].cancel()
    slow.gate.set()
    assert first(futures[3]) == [[5]]
    assert slow.batches == [1, 3]


def test_every_core_gets_a_round(recommender):
    one = ask(1, options=recommender.options)
    rounds = [most_at_once(recommender, one, cores) for cores in (1, 2, 8)]
    assert rounds == [recommender.options.users_at_once(1) * cores for cores in (1, 2, 8)]
    assert most_at_once(Slow(), ask(1)) == 256


@pytest.fixture
def four(monkeypatch):
    """Batches of four users."""
    monkeypatch.setattr("genrec.serving.batching.most_at_once", lambda *_: 4)


def test_histories_of_about_one_length_are_decoded_together(decoder, slow, four):
    fill(decoder, slow)
    asked = [[n] * (9 if n % 3 == 0 else 2) for n in range(1, 13)]
    futures = [decoder.submit(slow, [ask(*items)]) for items in asked]
    slow.gate.set()
    assert [first(future) for future in futures] == [[[items[-1] + 1]] for items in asked]
    assert slow.lengths[1:] == [[2, 2, 2, 2], [9, 9, 9, 9], [2, 2, 2, 2]]


def test_asks_of_one_request_are_put_together_by_length_and_answered_in_order(decoder, slow, four):
    fill(decoder, slow)
    future = decoder.submit(slow, [ask(*[n] * (n % 4 + 1)) for n in range(20, 36)])
    slow.gate.set()
    assert first(future) == [[n + 1] for n in range(20, 36)]
    assert all(len(set(lengths)) == 1 for lengths in slow.lengths)
    assert decoder.waiting == 0


def test_no_request_is_passed_over_more_than_three_times(decoder, slow, four):
    fill(decoder, slow)
    lengths = [2, 4, 6, 8, 30, *[2] * 3, *[4] * 3, *[6] * 3, *[8] * 5]
    futures = [decoder.submit(slow, [ask(*[1] * length)]) for length in lengths]
    slow.gate.set()
    assert [first(future) for future in futures] == [[[2]]] * len(lengths)
    assert slow.lengths[1:] == [[2] * 4, [4] * 4, [6] * 4, [8, 30, 8, 8], [8, 8, 8]]


def test_stopping_ends_what_waits_and_takes_nothing_new(slow):
    decoder = Decoder("test", room=10)
    fill(decoder, slow)
    waiting = [decoder.submit(slow, [ask(n)]) for n in range(1, 4)]
    threading.Timer(0.05, slow.gate.set).start()
    decoder.stop(10)
    assert [first(future) for future in waiting] == [[[2]], [[3]], [[4]]]
    with pytest.raises(QueueFullError):
        decoder.submit(slow, [ask(1)])


def test_company_changes_no_answer(recommender, tables):
    """Two hundred random asks of every kind: mixed in one queue, and each alone."""
    rng = np.random.default_rng(0)
    n_items = len(recommender.item_ids)
    few = recommender.options.model_copy(update={"beams": 12})
    ways = [
        few,
        few,
        few.model_copy(update={"groups": 3}),
        few.model_copy(update={"mmr": 0.6}),
        few.model_copy(update={"exact": True}),
        few.model_copy(update={"normalize": "children", "words": 2.0}),
    ]
    part = Part(("even",), np.arange(n_items) % 2 == 0)

    def items(most):
        return rng.permutation(n_items)[: rng.integers(0, most)].astype(np.int32)

    asks = [
        Ask(
            items(8),
            k=int(rng.integers(1, 16)),
            exclude_seen=bool(rng.integers(4)),
            allow=items(30) if rng.random() < 0.3 else None,
            deny=items(30) if rng.random() < 0.3 else None,
            part=part if rng.random() < 0.3 else None,
            prior=(np.arange(5, dtype=np.int32), rng.normal(size=5).astype(np.float32)) if rng.random() < 0.3 else None,
            options=ways[rng.integers(len(ways))],
        )
        for _ in range(200)
    ]
    decoder = Decoder("mixed", room=1000)
    futures = [decoder.submit(recommender, asks[at : at + 5]) for at in range(0, 200, 5)]
    together = [one for future in futures for one in future.result(60)]
    decoder.stop(10)
    for one, found in zip(asks, together, strict=True):
        alone = decode(recommender, [one])[0]
        assert found.items.tolist() == alone.items.tolist()
        np.testing.assert_allclose(found.scores, alone.scores, atol=1e-5)
        assert len(found.items) <= one.k
