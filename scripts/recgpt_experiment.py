"""What all stages of the experiments with RecGPT share: domains, splits, pretrained models, tables of results.

Used by ``recgpt_zero_shot.py``, which runs the stages, and ``recgpt_few_shot.py``.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from genrec.baselines.base import FitInputs
from genrec.baselines.fit import train_baseline
from genrec.data.split import EvaluationSet, Split
from genrec.encoders.words import word_vectors
from genrec.evaluation import evaluate, rows, write_results
from genrec.index.semantic_index import SemanticIndex
from genrec.training.domains import Domain, read_domains
from genrec.training.pretrain import pretrain
from genrec.training.pretrain_config import DomainSettings, PretrainConfig, load_pretrain_config

RESULTS = Path(__file__).resolve().parent / "results"
DOMAINS = (
    "amazon2014-beauty",
    "amazon2014-sports",
    "minionerec-industrial",
    "movielens-latest-small",
    "online-retail",
)
KS = (1, 3, 5, 10)
RATE = "trainer.learning_rate=7.0e-4"
"""Of the short pretraining runs here; the preset's is for whole epochs."""
TEXT = ("text-neighbours", "text-neighbours-whitened")
WORDS = {"word-neighbours": 1, "word-neighbours-history": 20}
"""By words alone: of the last item, as the text neighbours, and of the last twenty with a decay."""
NO_WORDS = "generation.words=0"
"""The network alone, in ablations and few-shot rows."""
CHOOSING = ("trainer.eval_strategy=steps", "trainer.save_strategy=steps")
CHOICES = 4
"""Moments of pretraining that are candidates, beside the start."""
SHOWN = ("hit@1", "hit@3", "hit@5", "hit@10", "ndcg@3", "ndcg@5", "ndcg@10")
SHARES = (0.01, 0.1, 1.0)
STAGES = ("zero-shot", "sasrec", "few-shot", "ablation", "cost")
TITLES = {
    "recgpt-zero-shot": "Zero-shot: pretrained on the other domains, tested on one that was held out",
    "recgpt-few-shot": "Few-shot: pretrained on the other domains, then trained on a share of the users",
    "recgpt-few-shot-samples": "Few-shot: other samples of a tenth of the users",
    "recgpt-ablation": "Ablations: the same pretraining with one thing changed",
}


class Experiment:
    """One set of domains: what every stage asks of it, and the tables it writes to."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        every = max(1, options.steps // CHOICES)
        steps = [f"trainer.max_steps={options.steps}", RATE, f"seed={options.seed}", *CHOOSING]
        steps += [f"trainer.eval_steps={every}", f"trainer.save_steps={every}"]
        self.config = load_pretrain_config("recgpt-pretrain", [*steps, *options.set])
        self.domains = {domain.name: domain for domain in read_domains(self._with_tables())}
        self.held_out = options.held_out or options.domains

    def _with_tables(self) -> PretrainConfig:
        folder = self.options.data
        tables = tuple(
            DomainSettings(name=n, items=folder / n / "items.jsonl", interactions=folder / n / "interactions.csv")
            for n in self.options.domains
        )
        return self.config.model_copy(update={"domains": tables})

    def folder(self, held_out: str) -> Path:
        return self.options.work / f"without-{held_out}"

    def others(self, held_out: str) -> list[Domain]:
        return [domain for name, domain in self.domains.items() if name != held_out]

    def pretrained(self, held_out: str) -> Any:
        """Learned from all others but one, which chooses among the start and what came of it."""
        began, others = time.monotonic(), self.others(held_out)
        config = self.config.model_copy(update={"validate_on": (others[0].name,)})
        foundation = pretrain(others, config, self.folder(held_out))
        say(f"pretrained without {held_out}: {time.monotonic() - began:.0f} s, {foundation.metrics['steps']} steps")
        return foundation, foundation.build_index(self.domains[held_out].catalog)

    def split(self, name: str) -> Split:
        """With fixed samples of validation and test cases."""
        split, users = self.domains[name].split, self.options.users
        return Split(split.train, sample(split.validation, users, 1), sample(split.test, users, 0), split.name)

    def baseline(self, name: str, split: Split, dataset: str) -> Any:
        domain = self.domains[dataset]
        settings: dict[str, Any] = {}
        vectors = words = None
        if name in TEXT:
            settings, vectors = {"last": 1}, self._vectors(domain, whitened=name != TEXT[0])
            name = TEXT[0]
        if name in WORDS:
            settings, words = {"last": WORDS[name], "decay": 0.5}, word_vectors(domain.catalog)
            name = "word-neighbours"
        if name == "sasrec":
            settings = {"dim": 64, "max_items": 20}
        baseline = train_baseline(
            name,
            split,
            domain.catalog.item_ids,
            FitInputs(
                vectors=vectors,
                words=words,
                seed=self.options.seed,
                seconds=self.options.seconds if name == "sasrec" else None,
            ),
            settings=settings,
        )
        limit = self.options.seconds
        cut = name == "sasrec" and baseline.fit_seconds >= limit
        return evaluate(baseline, split.test, ks=KS), {
            **({"remark": f"training stopped after {limit:.0f} s"} if cut else {}),
            "fit_seconds": round(baseline.fit_seconds, 2),
            "settings": baseline.settings.model_dump(mode="json"),
            "train_users": len(split.train),
        }

    def _vectors(self, domain: Domain, *, whitened: bool) -> np.ndarray:
        from genrec.encoders import build_encoder
        from genrec.index.recipe import load_recipe

        settings = load_recipe(self.config.tokenizer, self.config.tokenizer_settings).encoder_settings()
        encoder = build_encoder(settings if whitened else settings["encoder"])
        encoder.fit(domain.catalog)
        return encoder.encode(domain.catalog)

    def recgpt(self, recommender: Any, decoding: str, **changes: Any) -> Any:
        name = self._dataset_of(recommender.index)
        recommender.options = recommender.options.model_copy(update=changes)
        if decoding == "beam":
            recommender.options = recommender.options.model_copy(
                update={"exact": False, "beams": self.options.beams, "batch_users": 64}
            )
        result = evaluate(recommender, self.split(name).test, ks=KS)
        metrics = recommender.metrics
        return result, {
            "users_per_second": round(result.cases_per_second, 1),
            "decoding": decoding,
            "words": recommender.options.words,
            "steps": metrics.get("steps"),
            "start": metrics.get("start"),
            "validation": metrics.get("validation"),
            "train_seconds": metrics.get("seconds_this_session"),
            "parameters": recommender.model.num_parameters(),
            "collision_rate": round(recommender.index.stats().collision_rate, 4),
        }

    def _dataset_of(self, index: SemanticIndex) -> str:
        return next(n for n, d in self.domains.items() if d.catalog.fingerprint() == index.catalog.fingerprint())

    # tables

    def there(self, table: str, dataset: str, recommender: str) -> bool:
        return any(row["dataset"] == dataset and row["recommender"] == recommender for row in self._read(table))

    def once(
        self,
        table: str,
        dataset: str,
        recommender: str,
        measure: Callable[[], Any],
        metrics: dict[str, Any] | None = None,
    ) -> None:
        if self.there(table, dataset, recommender):
            return
        began = time.monotonic()
        result, more = measure()
        made = rows(
            result,
            benchmark=table,
            dataset=dataset,
            targets=[target for target in ("all", "novel") if result.masks[target].any()],
            seed=self.options.seed,
            command=command(self.options),
            device=f"{platform.machine()} cpu",
            commit=commit(),
            more={**more, "seconds": round(time.monotonic() - began, 1)},
        )
        self._add(table, [{**row, "recommender": recommender} for row in made])
        values = {key: round(result.slice_metrics("novel")[key], 4) for key in ("hit@1", "hit@10", "ndcg@10")}
        say(f"  {dataset} {recommender}: {values}  {time.monotonic() - began:.0f} s")

    def _read(self, table: str) -> list[dict[str, Any]]:
        path = self.options.out / f"{table}.json"
        return json.loads(path.read_text()) if path.is_file() else []

    def _add(self, table: str, made: Sequence[dict[str, Any]]) -> None:
        content = [*self._read(table), *made]
        write_results(
            self.options.out, table, content, title=TITLES[table], command=command(self.options), metrics=SHOWN
        )


VARIANTS: dict[str, list[str]] = {
    "recgpt": [],
    "with-words": ["generation.words=10"],
    "with-long-fields": ["tokenizer_settings=[encoder.encoder.text.max_words=null]"],
    "untrained": ["trainer.max_steps=1", "trainer.learning_rate=0.0"],
    "without-hybrid-attention": ["model.options.attention=causal"],
    "set-attention": ["model.options.attention=set"],
    "without-auxiliary-path": ["model.options.auxiliary=false", "model.options.pooling=0"],
    "without-text-pooling": ["model.options.pooling=0"],
    "slot-loss": ["model.options.loss=slots"],
    "free-code-rows": ["model.options.scores=rows", "model.options.loss=slots", "model.options.pooling=0"],
    "rq-kmeans-tokens": ["tokenizer_settings=[quantizer.name=rq-kmeans,quantizer.levels=4]"],
    "plain-vectors": ["tokenizer_settings=[encoder.name=sentence,encoder.model=minilm]"],
}


def of_users(split: Split, share: float, seed: int) -> Split:
    """Only a share of the users in training and validation; the test part stays."""
    if share >= 1:
        return split
    users = np.sort(
        np.random.default_rng([seed, 7]).permutation(len(split.train))[: max(1, round(share * len(split.train)))]
    )
    train = split.train.select(users)
    kept = set(train.user_ids.tolist())
    cases = np.array([user in kept for user in split.validation.histories.user_ids])
    validation = split.validation.select(cases) if cases.any() else split.validation.select(np.arange(1))
    return Split(train, validation, split.test, split.name)


def sample(cases: EvaluationSet, users: int, seed: int) -> EvaluationSet:
    """At most so many cases, always the same; 0: all."""
    if not users or users >= len(cases):
        return cases
    return cases.select(np.sort(np.random.default_rng(seed).permutation(len(cases))[:users]))


def command(options: argparse.Namespace) -> str:
    """What repeats it, without the paths of this machine."""
    given = {str(options.data), "--out", str(options.out), "--work", str(options.work)}
    rest = " ".join(argument for argument in sys.argv[1:] if argument not in given)
    return f"bash scripts/recgpt_zero_shot.sh DATA_FOLDER {rest}".strip()


def commit() -> str | None:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return done.stdout.strip() or None


def say(text: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)
