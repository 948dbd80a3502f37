"""Decoding against Hugging Face's constrained beam search, interleaved in one process, same items checked."""

from __future__ import annotations

import copy
import logging
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from genrec.benchmarks.decode_report import Row, merged, read, write
from genrec.benchmarks.hf_generate import (
    TEXT_TOKENS,
    HFGenerate,
    build_decoder,
    build_t5,
    dictionary_trie,
    random_catalogue,
)
from genrec.benchmarks.measure import Clock, TimedPredictor, Times, peak_memory, timed
from genrec.decoding.beam import beam_search
from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.normalize import Normalize
from genrec.decoding.options import DecodingOptions, even_slices
from genrec.errors import ConfigError, unknown_name
from genrec.models.hf.causal import HFCausalPredictor
from genrec.models.hf.seq2seq import HFSeq2SeqPredictor
from genrec.progress import Progress
from genrec.trie import Trie

logger = logging.getLogger(__name__)

SIZES = (256, 256, 256, 256)
TOLERANCE = 1e-4
SEEN = 20


@dataclass(frozen=True)
class Setting:
    """One comparison.

    Attributes:
        model: ``t5`` or ``decoder``.
        prompt: Tokens that are read per user.
        users: Users asked at once.
        beams: Hypotheses a user.
        items: Size of the catalogue.
    """

    model: str
    prompt: int
    users: int
    beams: int
    items: int


@dataclass(frozen=True)
class Bench:
    """How to measure.

    Attributes:
        rounds: Interleaved repetitions, of which medians are taken, after one that is checked. Every timed run follows
            an untimed one of the same kind.
        vocabulary: Text tokens of the decoder.
        threads: Of torch; times are CPU seconds of the process, so 1 is right on a CPU.
        device: Where everything runs.
        variants: Per model, number types and normalisations of our search; the baseline runs in float32.
        command: What repeats the run, for the results.
        seed: Of weights, catalogues and prompts.
    """

    rounds: int = 3
    vocabulary: int = 150_000
    threads: int = 1
    device: str = "cpu"
    variants: dict[str, tuple[tuple[str, Normalize], ...]] = field(
        default_factory=lambda: {
            "t5": (("float32", "vocabulary"), ("bfloat16", "vocabulary")),
            "decoder": (("float32", "vocabulary"), ("float32", "codes")),
        }
    )
    command: str = "genrec bench decode"
    seed: int = 0


def default_settings(quick: bool = False) -> list[Setting]:
    """The grid of the published table, or a small one that shows the same in a minute."""
    if quick:
        return [
            Setting("t5", 40, 4, 20, 10_000),
            Setting("decoder", 64, 1, 10, 10_000),
        ]
    grid = [
        Setting("t5", 80, users, beams, items)
        for items in (10_000, 100_000, 1_000_000)
        for users, beams in ((1, 50), (32, 50), (128, 20))
    ]
    shapes = ((1, 50), (8, 20))
    return grid + [Setting("decoder", prompt, *shape, 100_000) for prompt in (128, 512) for shape in shapes]


def select(
    settings: Sequence[Setting],
    *,
    models: Sequence[str] | None = None,
    items: Sequence[int] | None = None,
    shapes: Sequence[str] | None = None,
    prompts: Sequence[int] | None = None,
) -> list[Setting]:
    """A part of a grid, or the grid with other numbers of users and beams.

    Args:
        settings: The grid.
        models: Keep only these.
        items: Keep the prompts and shapes of the grid for these catalogue sizes instead.
        shapes: ``USERSxBEAMS`` instead of the grid's.
        prompts: Tokens per user instead of the grid's.

    Raises:
        ConfigError: An unknown model, or a shape that cannot be read.
    """
    for name in models or ():
        if name not in ("t5", "decoder"):
            raise unknown_name("model", name, ("t5", "decoder"))
    try:
        pairs = [(int(users), int(beams)) for users, beams in (shape.split("x") for shape in shapes or ())]
    except ValueError:
        raise ConfigError(f"Cannot read the shapes {list(shapes or ())}.", expected="such as 32x50") from None
    kept = [one for one in settings if not models or one.model in models]
    if items:
        kept = [replace(one, items=n) for n in items for one in kept]
    if prompts:
        kept = [replace(one, prompt=n) for n in prompts for one in kept]
    if pairs:
        kept = [replace(one, users=users, beams=beams) for one in kept for users, beams in pairs]
    return list(dict.fromkeys(kept))


def run(
    settings: Sequence[Setting],
    bench: Bench,
    *,
    out: Path | None = None,
    add: bool = False,
    progress: Progress | None = None,
) -> list[Row]:
    """Measure settings one after the other.

    Args:
        settings: What to measure; neighbours that share model and catalogue also share the work of making them.
        bench: How.
        out: Folder of ``decode.json`` and ``decode.md``, written anew after every setting.
        add: Keep what the files there say of other settings, so that a grid can be measured in pieces.
        progress: Called with (what, settings done, settings in all).

    Returns:
        Flat rows, one per setting and variant.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(bench.threads)
    rows: list[Row] = []
    before = read(out) if add and out is not None else []
    try:
        for done, setting in enumerate(settings, start=1):
            rows += measure(setting, bench)
            if out is not None:
                write(out, merged(before, rows))
            if progress is not None:
                progress("measuring", done, len(settings))
    finally:
        torch.set_num_threads(threads)
    return rows


def measure(setting: Setting, bench: Bench) -> list[Row]:
    """Rows of one setting, one per variant."""
    clock = Clock(bench.device)
    model, tokens = _model(setting.model, bench)
    trie, root = _catalogue(setting.items, bench.seed, tokens[0].start)
    baseline = HFGenerate(model, trie, root, tokens)
    ids, mask = _prompts(setting, bench)
    seen = torch.from_numpy(np.random.default_rng(bench.seed).integers(0, setting.items, (setting.users, SEEN)))
    seen = seen.to(bench.device)
    ours = [
        _Search(setting, bench, dtype, normalize, DeviceTrie(trie, bench.device), clock)
        for dtype, normalize in bench.variants[setting.model]
    ]
    (items, scores), hf_memory = peak_memory(lambda: baseline(ids, mask, setting.beams, scores=True), bench.device)
    checks = [search.check(ids, mask, items, scores) for search in ours]
    hf_times = []
    for _ in range(bench.rounds):
        baseline(ids, mask, setting.beams)  # nobody's time is to depend on whose data fill the caches
        hf_times.append(timed(lambda: baseline(ids, mask, setting.beams), clock)[1])
        for search in ours:
            search.time(ids, mask, seen)
    hf = statistics.median(hf_times)
    logger.info("%s: Hugging Face %.0f ms, %s", setting, hf * 1e3, [f"{s.plain.total * 1e3:.0f} ms" for s in ours])
    return [
        {
            "benchmark": "decode",
            **asdict(setting),
            **search.row(hf),
            **check,
            "hf_ms": round(hf * 1e3, 1),
            "hf_memory_mb": round(hf_memory, 1),
            "rounds": bench.rounds,
            "device": _device(bench),
            "command": bench.command,
        }
        for search, check in zip(ours, checks, strict=True)
    ]


class _Search:
    """One variant of our search on one setting."""

    def __init__(
        self, setting: Setting, bench: Bench, dtype: str, normalize: Normalize, trie: DeviceTrie, clock: Clock
    ) -> None:
        self.setting, self.bench, self.dtype, self.normalize = setting, bench, dtype, normalize
        self.trie, self.clock = trie, clock
        model, tokens = _model(setting.model, bench, dtype)
        kind = HFSeq2SeqPredictor if setting.model == "t5" else HFCausalPredictor
        self.predictor = TimedPredictor(kind(model, tokens), clock)
        self.plain, self.filtered = Times(), Times()
        self.users_at_once = DecodingOptions(beams=setting.beams).users_at_once(setting.beams, bench.device)

    @torch.inference_mode()
    def __call__(self, ids: Tensor, mask: Tensor, seen: Tensor | None = None) -> tuple[np.ndarray, np.ndarray]:
        found = []
        for batch in even_slices(len(ids), self.users_at_once):
            state = self.predictor.prefill(ids[batch], mask[batch])
            options: dict[str, Any] = {"beams": self.setting.beams, "normalize": self.normalize}
            options["forbidden"] = None if seen is None else seen[batch]
            found.append(beam_search(self.predictor, state, self.trie, len(ids[batch]), **options))
        items, scores = (torch.cat(part).cpu().numpy() for part in zip(*found, strict=True))
        return items, scores

    def check(self, ids: Tensor, mask: Tensor, items: np.ndarray, scores: np.ndarray) -> Row:
        """Memory, and agreement with the baseline."""
        (found, found_scores), memory = peak_memory(lambda: self(ids, mask), self.bench.device)
        row: Row = {"memory_mb": round(memory, 1)}
        sets = [len(set(mine.tolist()) & set(theirs.tolist())) for mine, theirs in zip(found, items, strict=True)]
        row["overlap"] = round(float(np.mean(sets)) / items.shape[1], 4)
        if (self.dtype, self.normalize) == ("float32", "vocabulary"):
            difference = float(np.abs(found_scores - scores).max())
            # The same scores in the same order: items may only differ where two are equally good.
            row["identical"] = difference <= TOLERANCE * max(1.0, float(np.abs(scores).max()))
            row["max_score_difference"] = difference
        return row

    def time(self, ids: Tensor, mask: Tensor, seen: Tensor) -> None:
        """One more timed run, without filters and with a list of seen items a user."""
        for times, forbidden in ((self.plain, None), (self.filtered, seen)):
            work = partial(self, ids, mask, forbidden)
            work()
            before = dict(self.predictor.seconds)
            total = timed(work, self.clock)[1]
            times.add(total, {part: seconds - before[part] for part, seconds in self.predictor.seconds.items()})

    def _least(self) -> float | None:
        """Multiplications with weights, as multiples of those of the prompt; None where two stacks share the work."""
        if self.setting.model == "t5":
            return None
        model = self.predictor.predictor.model
        blocks = sum(one.weight.numel() for one in model.base_model.modules() if isinstance(one, nn.Linear))
        rows = self.bench.vocabulary + sum(SIZES) if self.normalize == "vocabulary" else SIZES[0]
        head = rows * model.config.hidden_size
        beams, prompt = (len(SIZES) - 1) * self.setting.beams, self.setting.prompt
        return round(((prompt + beams) * blocks + (1 + beams) * head) / (prompt * blocks), 2)

    def row(self, hf: float) -> Row:
        """Figures of this variant; shares are of its own time."""
        total, parts = self.plain.total, {part: self.plain.median(part) for part in self.predictor.seconds}
        return {
            "dtype": self.dtype,
            "normalize": self.normalize,
            "ms": round(total * 1e3, 2),
            "speedup_vs_hf": round(hf / total, 2),
            "limit_ratio": round(total / parts["prefill"], 2),
            "least_ratio": self._least(),
            "users_per_second": round(self.setting.users / total, 1),
            "ms_per_step": round((total - parts["prefill"]) * 1e3 / self.trie.n_levels, 2),
            **{f"share_{part}": round(seconds / total, 4) for part, seconds in parts.items()},
            "share_constraint": round(self.plain.rest / total, 4),
            "constraint_of_step": round(self.plain.constraint, 4),
            "constraint_of_step_seen": round(self.filtered.constraint, 4),
        }


@lru_cache(maxsize=4)
def _built(model: str, vocabulary: int, seed: int, dtype: str, device: str) -> tuple[Any, list[range]]:
    if dtype != "float32":
        full, tokens = _built(model, vocabulary, seed, "float32", device)
        return copy.deepcopy(full).to(getattr(torch, dtype)), tokens
    built, tokens = build_t5(SIZES, seed) if model == "t5" else build_decoder(SIZES, vocabulary, seed)
    return built.to(device), tokens


def _model(model: str, bench: Bench, dtype: str = "float32") -> tuple[Any, list[range]]:
    return _built(model, bench.vocabulary, bench.seed, dtype, bench.device)


@lru_cache(maxsize=1)
def _catalogue(n_items: int, seed: int, first_token: int) -> tuple[Trie, dict[int, Any]]:
    codes = random_catalogue(n_items, SIZES, seed)
    stops = first_token + np.cumsum(SIZES)
    tokens = [range(int(stop) - size, int(stop)) for stop, size in zip(stops, SIZES, strict=True)]
    return Trie.from_codes(codes, SIZES), dictionary_trie(codes, tokens)


def _device(bench: Bench) -> str:
    """Which processor; figures of several can stand in one table."""
    if bench.device != "cpu":
        return torch.cuda.get_device_name(bench.device)
    features = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return f"{features.get('cpu_name') or 'cpu'}, {bench.threads} thread"


def _prompts(setting: Setting, bench: Bench) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(bench.seed)
    top = TEXT_TOKENS + sum(SIZES) if setting.model == "t5" else bench.vocabulary
    ids = torch.randint(3, top, (setting.users, setting.prompt), generator=generator)
    return ids.to(bench.device), torch.ones_like(ids).to(bench.device)
