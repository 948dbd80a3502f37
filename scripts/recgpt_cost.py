"""Speed of decoding RecGPT over synthetic catalogues, exact against beams; called by ``recgpt_zero_shot.py``."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from tokenizer_common import table

from genrec.data.histories import Histories
from genrec.decoding.beam import beam_search
from genrec.decoding.bounded_slots import top_items_of_slots
from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.user_priors import UserPriors
from genrec.decoding.word_prior import SharedWords
from genrec.encoders.word_matches import WordMatches
from genrec.index.recipe import load_recipe
from genrec.models import build_model, find_network
from genrec.models.recgpt.code_vectors import CodeVectors
from genrec.models.recgpt.network import RecGPT
from genrec.training.pretrain_config import PretrainConfig
from genrec.trie import Trie

SIZES = (10_000, 100_000, 1_000_000)
STEPS, SLOTS, DIM, USERS, HISTORY, K = (8, 8, 8, 6, 5), 4, 384, 64, 10, 10
VOCABULARY = 50_000


def decoding_rows(config: PretrainConfig, *, beams: int, seed: int) -> Iterator[dict[str, Any]]:
    """One row for every size of catalogue and way of decoding; the network is read once in each."""
    for n in SIZES:
        model, codes, vectors = catalogue(config, n, seed)
        words = words_of(n, seed)
        trie = DeviceTrie(Trie.from_codes(codes, model.codebook_sizes))
        rng = np.random.default_rng(seed)
        items = torch.from_numpy(rng.integers(0, n, (USERS, HISTORY)))
        batch = {
            "codes": torch.from_numpy(codes.astype(np.int64))[items],
            "mask": torch.ones(USERS, HISTORY, dtype=torch.bool),
            "vectors": torch.from_numpy(vectors[items.numpy()]),
        }
        with torch.inference_mode():
            reading = seconds(lambda m=model, b=batch: m.prefill(**b))
            state = model.prefill(**batch)
            exact = seconds(lambda m=model, s=state, t=trie: top_items_of_slots(t, m.slot_scores(s), K))
            state.level = 0
            beam = seconds(lambda m=model, b=batch, t=trie: beam_search(m, m.prefill(**b), t, USERS, beams=beams))
            given = model, batch, trie, words, items
            matched = seconds(lambda g=given: with_words(*g))
            led = seconds(lambda g=given: with_words(*g, beams=beams))
        made = ("exact", reading + exact), ("exact-with-words", matched), ("beam", beam), ("beam-with-words", led)
        for decoding, spent in made:
            yield {
                "benchmark": "recgpt-cost",
                "dataset": "synthetic",
                "recommender": f"recgpt-{decoding}",
                "items": n,
                "users": USERS,
                "beams": beams if "beam" in decoding else None,
                "ms": round(1000 * spent, 1),
                "read_ms": round(1000 * reading, 1),
                "users_per_second": round(USERS / spent, 1),
                "dtype": "float32",
                "device": f"cpu, {torch.get_num_threads()} threads",
            }


def words_of(n: int, seed: int) -> WordMatches:
    """Ten words an item, the common ones in many items as in a language."""
    rng = np.random.default_rng(seed)
    words = np.minimum(rng.zipf(1.4, (n, 10)), VOCABULARY) - 1
    rows = np.repeat(np.arange(n), 10)
    counts = sp.csr_array((np.ones(10 * n, dtype=np.float32), (rows, words.ravel())), shape=(n, VOCABULARY))
    lengths = np.sqrt(np.add.reduceat(np.square(counts.data), counts.indptr[:-1]))
    counts.data /= np.repeat(lengths, np.diff(counts.indptr))
    return WordMatches(counts)


def with_words(
    model: RecGPT,
    batch: dict[str, torch.Tensor],
    trie: DeviceTrie,
    words: WordMatches,
    items: torch.Tensor,
    beams: int | None = None,
) -> Any:
    """The ranking by slots and words, exact or by beams."""
    state = model.prefill(**batch)
    shared = SharedWords(words, Histories.from_lists(items.tolist()), 10.0)
    prior = UserPriors(None, words=shared).of(trie, np.arange(USERS))
    if beams is None:
        return top_items_of_slots(trie, model.slot_scores(state), K, prior=prior)
    return beam_search(model, state, trie, USERS, beams=beams, prior=prior)


def pretraining_rows(work: Path) -> list[dict[str, Any]]:
    """Speed of the pretraining runs that are at ``work``, on whatever else the machine did."""
    made = []
    for path in sorted(work.glob("without-*/metrics.json")):
        metrics = json.loads(path.read_text(encoding="utf-8"))
        domains, last = metrics["domains"], metrics["log"][-1]
        # a token is a slot of an item; rows are nearly full, and come up as often as the sampler says
        batches = sum(domain["batches_per_epoch"] for domain in domains)
        items = sum(d["interactions"] / d["rows"] * d["batches_per_epoch"] for d in domains) / batches
        made.append(
            {
                "benchmark": "recgpt-cost",
                "dataset": path.parent.name,
                "recommender": "recgpt-pretraining",
                "steps": metrics["steps"],
                "seconds": last["train_runtime"],
                "tokens_per_second": round(last["train_samples_per_second"] * items * SLOTS),
                "device": f"cpu, {torch.get_num_threads()} threads",
            }
        )
    return made


def cost_page(content: Sequence[dict[str, Any]]) -> str:
    """Both kinds of rows as tables."""
    decoding = [row for row in content if "users_per_second" in row]
    columns = [
        ("decoding", "recommender", str),
        ("items", "items", lambda v: f"{v:,}"),
        ("beams", "beams", str),
        ("users/s", "users_per_second", lambda v: f"{v:,.0f}"),
        ("ms for all users", "ms", lambda v: f"{v:,.0f}"),
        ("of it reading histories", "read_ms", lambda v: f"{v:,.0f}"),
    ]
    lines = ["# RecGPT: cost of decoding and pretraining", "", f"`{content[0]['command']}`", ""]
    lines += [
        f"{USERS} users with {HISTORY} items each, synthetic catalogues of {SLOTS} slots with 15,360 codes, the best "
        f"{K} items, {content[0]['device']}; best of three runs on the clock of a shared machine. Exact: the sum of "
        "slot scores over all items; with words: of ten words an item, too.",
        "",
        table(decoding, columns),
        "",
    ]
    pretraining = [row for row in content if "tokens_per_second" in row]
    if pretraining:
        columns = [
            ("pretraining", "dataset", str),
            ("steps", "steps", str),
            ("seconds", "seconds", lambda v: f"{v:.0f}"),
            ("tokens/s", "tokens_per_second", lambda v: f"{v:,}"),
        ]
        note = "A token is a slot of an item; beside other runs, so these are lower bounds."
        lines += [table(pretraining, columns), "", note, ""]
    return "\n".join(lines)


def catalogue(config: PretrainConfig, n: int, seed: int) -> tuple[RecGPT, np.ndarray, np.ndarray]:
    """Items in clusters, as texts are, with codes and a suffix that tells twins apart, and a network bound to them."""
    rng = np.random.default_rng(seed)
    size = int(np.prod(STEPS))
    centres = rng.integers(0, size, (max(100, n // 20), SLOTS))
    codes = centres[rng.integers(0, len(centres), n)]
    moved = rng.random(codes.shape) < 0.5
    codes = np.where(moved, rng.integers(0, size, codes.shape), codes)
    order = np.lexsort(codes.T)
    new = np.r_[True, (codes[order][1:] != codes[order][:-1]).any(1)]
    suffix = np.empty(n, dtype=np.int64)
    suffix[order] = np.arange(n) - np.maximum.accumulate(np.where(new, np.arange(n), 0))
    vectors = rng.normal(size=(n, DIM)).astype(np.float32)
    quantizer = load_recipe(config.tokenizer, config.tokenizer_settings).quantizer
    settings = find_network("recgpt").fields(config.model, quantizer, DIM)
    sizes = [*([size] * SLOTS), int(suffix.max()) + 1]
    model = build_model("recgpt", sizes, **settings)
    if not isinstance(model, RecGPT):
        raise TypeError("'recgpt' builds a RecGPT.")
    # the vectors mean nothing here, so slices are as good as the slower additive fit
    table = CodeVectors.of(codes, vectors, sizes[:SLOTS], "slices")
    wide = [torch.nn.functional.pad(part, (0, model.part_dim - part.shape[1])) for part in table.vectors]
    model._catalogue = CodeVectors(table.codes, wide, table.rows, table.sizes)
    return model.eval(), np.column_stack([codes, suffix]).astype(np.int32), vectors


def seconds(work: Callable[[], Any], repeats: int = 3) -> float:
    """The best of some runs after one that warms up."""
    work()
    best = np.inf
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return float(best)
