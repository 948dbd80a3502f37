"""Constants and tables that tests share."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl

QWEN = {
    "model_type": "qwen3",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
}
TINY_BACKBONES = {
    "item-decoder": QWEN,
    "decoder": {**QWEN, "model_type": "llama"},
    "seq2seq": {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2},
}

TINY_TRAINING = [
    "examples.drop=0.1",
    "model.backbone.hidden_size=32",
    "model.backbone.intermediate_size=64",
    "model.backbone.num_hidden_layers=1",
    "model.backbone.num_attention_heads=2",
    "model.backbone.num_key_value_heads=2",
    "model.backbone.head_dim=16",
    "model.max_items=6",
    "validation.users=40",
    "validation.beams=5",
    "generation.beams=10",
    "trainer.num_train_epochs=2",
    "trainer.per_device_train_batch_size=16",
    "trainer.warmup_steps=2",
]
ITEM_WORDS = [
    "red",
    "blue",
    "green",
    "small",
    "large",
    "wooden",
    "steel",
    "soft",
    "cotton",
    "lamp",
    "chair",
    "table",
    "cup",
    "plate",
    "bowl",
    "towel",
    "brush",
    "soap",
]
"""Words of made-up titles."""

TINY_TOKENIZER = ["encoder.dim=16", "quantizer.levels=2", "quantizer.codebook_size=8"]


def assert_equal_but_rounding(found, expected):
    """The same sums in double precision, rounded to float32: never far, and hardly ever another last bit.

    Which sums another number of rows moves is a matter of the processor's matrix products.
    """
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.mean(found != expected) < 0.05


def make_tables(n_items=60, n_users=80, seed=0):
    """A tiny shop: items of six kinds in two colours, users who walk through one kind; some titles are equal."""
    rng = np.random.default_rng(seed)
    kinds = ("cup", "tea", "tent", "lamp", "rope", "soap")
    items = pl.DataFrame(
        {
            "item_id": [f"i{n:03d}" for n in range(n_items)],
            "title": [f"{('red', 'blue')[n % 2]} {kinds[n % 6]} {n // 12}" for n in range(n_items)],
            "categories": [[kinds[n % 6], "home" if n % 3 else "outdoor"] for n in range(n_items)],
        }
    )
    rows = []
    for user in range(n_users):
        kind, at = rng.integers(6), rng.integers(0, n_items // 6)
        walk = [kind + 6 * ((at + step) % (n_items // 6)) for step in range(rng.integers(4, 10))]
        rows += [(f"u{user:03d}", f"i{item:03d}", 1_700_000_000 + 60 * step) for step, item in enumerate(walk)]
    return items, pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")


def answers(recommend, requests, threads=8, rounds=4):
    """What requests are answered in threads that begin at once, ``rounds`` times each: the request and the answer."""
    barrier = threading.Barrier(threads)

    def one(number):
        barrier.wait()
        mine = requests[number % len(requests) :] + requests[: number % len(requests)]
        return [(request, recommend(request)) for _ in range(rounds) for request in mine]

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # threads take turns often, so that what is not safe shows
    try:
        with ThreadPoolExecutor(threads) as pool:
            return [pair for found in pool.map(one, range(threads)) for pair in found]
    finally:
        sys.setswitchinterval(before)


def assert_threads_agree(recommend, requests, **options):
    """Every request has the same answer from many threads as from one alone, asked for afterwards."""
    found = answers(recommend, requests, **options)
    alone = {id(request): recommend(request) for request in requests}
    for request, answer in found:
        np.testing.assert_array_equal(answer.items, alone[id(request)].items)
        np.testing.assert_allclose(answer.scores, alone[id(request)].scores, atol=1e-5)
