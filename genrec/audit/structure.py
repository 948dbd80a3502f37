"""The transition graph, how smooth it is in text space, and items that are nearly the same."""

from __future__ import annotations

import re

import numpy as np
import scipy.sparse as sp

from genrec.audit.finding import Finding, graded, percent
from genrec.audit.material import Material
from genrec.data.catalog import Catalog
from genrec.encoders.text import TextTemplate
from genrec.errors import DataError
from genrec.wording import count

NEAR = 0.8
"""Share of common words from which two texts count as nearly the same."""
_PAIRS = 100_000
_QUERIES = 10_000
_NEIGHBOURS = 10
_CHUNK = 512
_WORDS = re.compile(r"\w+")


def branching(material: Material) -> Finding:
    """How many different items follow an item, how predictable that is, and how many test transitions were seen."""
    sources, successors = material.transitions
    n = material.n_items
    graph = sp.csr_array((np.ones(len(sources)), (sources, successors)), shape=(n, n))
    graph.sum_duplicates()
    degree, total = np.diff(graph.indptr), np.asarray(graph.sum(axis=1)).ravel()
    used = degree > 0
    if not used.any():
        text = "No training sequence has two items: there are no transitions."
        return Finding("branching", "caution", "Transition graph", text, figures={"edges": 0})
    shares = graph.data / np.repeat(total, degree)
    entropy = np.bincount(np.repeat(np.arange(n), degree), weights=-shares * np.log2(shares), minlength=n)
    keys = np.repeat(np.arange(n, dtype=np.int64), degree) * n + graph.indices
    wanted = material.last_items.astype(np.int64) * n + material.cases.targets
    seen = float(np.isin(wanted, keys).mean())
    bits = float((entropy * total).sum() / total.sum())
    figures = {
        "edges": int(graph.nnz),
        "mean_out_degree": float(degree[used].mean()),
        "median_out_degree": float(np.median(degree[used])),
        "successors_per_occurrence": float(degree.sum() / total.sum()),
        "entropy_bits": bits,
        "test_transitions_seen": seen,
    }
    text = (
        f"An item is followed by {figures['mean_out_degree']:.1f} different items on average (median "
        f"{figures['median_out_degree']:.0f}) in {total[used].mean():.1f} training transitions; the next item, "
        f"drawn from an item's own counts, has {bits:.1f} bits of entropy (as if from {2**bits:.0f} equally likely "
        f"items; rare items make this too low). {percent(seen)} of the test transitions (last item to target) occur in "
        "training: no method that only remembers direct successors of the last item can find more."
    )
    grade = graded(seen, serious=2.0, caution=0.5, note=-1.0)
    return Finding("branching", grade, "Transition graph", text, figures=figures)


def smoothness(material: Material) -> Finding | None:
    """Whether consecutive items are closer in text than the same items paired at random; None without vectors."""
    sources, successors = material.transitions
    vectors = material.vectors
    if vectors is None or not vectors.any() or not len(sources):
        return None
    rng = np.random.default_rng([material.seed, 31])
    rows = rng.permutation(len(sources))[:_PAIRS]
    sources, successors = sources[rows], successors[rows]
    real = _cosines(vectors, sources, successors)
    random = _cosines(vectors, sources, successors[rng.permutation(len(successors))])
    spread = float(np.sqrt((real.var() + random.var()) / 2)) or 1.0
    effect = float((real.mean() - random.mean()) / spread)
    figures = {
        "consecutive_cosine": float(real.mean()),
        "random_cosine": float(random.mean()),
        "effect_size": effect,
        "pairs": len(rows),
    }
    text = (
        f"Consecutive items have a mean text cosine of {real.mean():.2f}, the same items paired at random "
        f"{random.mean():.2f} ({material.vectors_name}, {count(len(rows), 'pair')}): "
    )
    if effect < 0.1:
        text += "texts hardly tell what comes next."
    elif effect < 0.5:
        text += f"somewhat closer than chance ({effect:.1f} standard deviations)."
    else:
        text += (
            f"clearly closer than chance ({effect:.1f} standard deviations), so texts tell something of the next item."
        )
    return Finding("smoothness", "note", "Texts of consecutive items", text, figures=figures)


def near_duplicates(material: Material) -> Finding:
    """Items with the same words, or nearly the same text, as another item."""
    plain = _plain_texts(material.catalog)
    _, kind, counts = np.unique(np.array(plain, dtype=object).astype(str), return_inverse=True, return_counts=True)
    filled = np.array([bool(text) for text in plain])
    twins = filled & (counts[kind] > 1)
    cases = material.cases
    in_history = _twin_in_history(kind, twins, material)
    figures = {
        "identical_items": float(twins.mean()),
        "identical_targets": float(twins[cases.targets].mean()),
        "identical_in_history": in_history,
        "without_text": float((~filled).mean()),
    }
    words = [
        f"{percent(figures['identical_items'])} of the items have exactly the words of another item in all text fields."
    ]
    if figures["identical_targets"]:
        words.append(
            f"{percent(figures['identical_targets'])} of the test targets have such a twin; for "
            f"{percent(in_history)} of the cases it is in the history."
        )
    if material.vectors is not None and material.vectors.any():
        figures["near_items"], sentence = _near_words(material, plain)
        words.append(sentence)
    if figures["without_text"]:
        words.append(f"{percent(figures['without_text'])} of the items have no text.")
    worst = max(figures["identical_items"], figures.get("near_items", 0.0))
    grade = graded(worst, serious=2.0, caution=0.05)
    advice = ""
    if grade == "caution":
        advice = (
            "A model that reads only texts can hardly tell such items apart, and gets no credit for the twin of a "
            "target: merge them, or give the model interactions too."
        )
    return Finding("near-duplicates", grade, "Items that are nearly the same", " ".join(words), advice, figures)


def _near_words(material: Material, plain: list[str]) -> tuple[float, str]:
    """Share of items with a near-duplicate, and a sentence that says so."""
    rows, near, example = _nearest(material, plain)
    which = "the items" if len(rows) == material.n_items else f"{count(len(rows), 'sampled item')}"
    text = f"{percent(float(near.mean()))} of {which} share {NEAR * 100:.0f} % or more of their words with another one"
    if example is not None:
        first, second = (material.catalog.titles()[item][:70] for item in example)
        text += f", such as “{first}” and “{second}”"
    return float(near.mean()), text + "."


def _cosines(vectors: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    parts = [
        np.einsum("nd,nd->n", vectors[first[start : start + 8192]], vectors[second[start : start + 8192]])
        for start in range(0, len(first), 8192)
    ]
    return np.concatenate(parts)


def _plain_texts(catalog: Catalog) -> list[str]:
    """All text fields of every item as lower-case words; empty where there are none."""
    try:
        texts = TextTemplate(name="item-values", max_chars=None).render(catalog)
    except DataError:
        return [""] * len(catalog)
    return [" ".join(_WORDS.findall(text.lower())) for text in texts]


def _nearest(material: Material, plain: list[str]) -> tuple[np.ndarray, np.ndarray, tuple[int, int] | None]:
    """Items looked at, whether each shares most of its words with one of its nearest, and the first such pair."""
    vectors = material.vectors
    rows = np.arange(material.n_items)
    if len(rows) > _QUERIES:
        rows = np.sort(np.random.default_rng([material.seed, 32]).permutation(len(rows))[:_QUERIES])
    near = np.zeros(len(rows), dtype=bool)
    example = None
    count = min(_NEIGHBOURS, material.n_items - 1)
    if vectors is None or count < 1:
        return rows, near, None
    for start in range(0, len(rows), _CHUNK):
        part = rows[start : start + _CHUNK]
        cosines = vectors[part] @ vectors.T
        cosines[np.arange(len(part)), part] = -2.0
        others = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
        for place, (item, neighbours) in enumerate(zip(part.tolist(), others.tolist(), strict=True), start=start):
            twin = next((other for other in neighbours if _common(plain[item], plain[other]) >= NEAR), None)
            near[place] = twin is not None
            if example is None and twin is not None and plain[item] != plain[twin]:
                example = (item, twin)
    return rows, near, example


def _common(first: str, second: str) -> float:
    """Common words of two texts, of all their words (Jaccard)."""
    one, other = set(first.split()), set(second.split())
    return len(one & other) / len(one | other) if one else 0.0


def _twin_in_history(kind: np.ndarray, twins: np.ndarray, material: Material) -> float:
    """Share of cases whose history holds another item with the words of the target."""
    cases = material.cases
    case = np.repeat(np.arange(len(cases)), cases.histories.lengths)
    target = cases.targets[case]
    items = cases.histories.items
    hits = twins[target] & (kind[items] == kind[target]) & (items != target)
    return float((np.bincount(case[hits], minlength=len(cases)) > 0).mean())
