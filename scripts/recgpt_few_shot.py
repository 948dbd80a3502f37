"""Few-shot training of RecGPT on a share of a domain's users; called by ``recgpt_zero_shot.py``.

Two networks. The default one starts as a mixture of the history's own text vectors (text pooling), so most of what
other catalogues could teach is there before any training. ``without-text-pooling`` is the published design, where all
of it must be learned. Each is trained from pretrained and from random weights, with the same settings. ``+counts`` is
the same network with the transitions of the same users as item prior: window, length and weight are chosen on the
share's validation users, for ``pretrained`` together with what counts did on the catalogues of pretraining. ``+words``
adds what words that an item shares with the history say, which is the default and learned by nobody.
Which epoch is kept, or the start, is decided with the counts added; with text pooling an epoch is averaged with the
start. ``+counts+words-only`` is the pretrained network as it is, with all that: nothing is trained. ``seed N`` repeats
a row with another sample of the users and other random weights; a page of its own compares these in pairs.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from recgpt_experiment import NO_WORDS, RATE, Experiment, of_users
from scipy import stats
from tokenizer_common import read_rows, table

from genrec.artifacts import write_atomic
from genrec.data.split import Split
from genrec.decoding.options import PriorSettings
from genrec.evaluation import EvaluationResult
from genrec.evaluation.uncertainty import paired_difference
from genrec.generative.config import load_train_config
from genrec.generative.pretrained import FoundationModel
from genrec.index.semantic_index import SemanticIndex
from genrec.training.pretrain import pretrain
from genrec.training.pretrain_config import load_pretrain_config
from genrec.training.prior import fit_prior
from genrec.training.train import train

TABLE, SAMPLES = "recgpt-few-shot", "recgpt-few-shot-samples"
NETWORKS = {"": [], "-without-text-pooling": ["model.options.pooling=0"]}
COUNTS = PriorSettings(name="transition-counts")
METRIC, TARGETS = "ndcg@10", "novel"
SEEDS_SHARE = 0.1


class FewShot:
    """All rows of one domain.

    Args:
        experiment: Tables, splits and pretrained models.
        domain: What is trained on.
    """

    def __init__(self, experiment: Experiment, domain: str) -> None:
        self.experiment, self.domain, self.options = experiment, domain, experiment.options

    def run(self) -> None:
        """Pretrained networks as they are, then every share."""
        split = self.experiment.split(self.domain)
        for suffix, changes in NETWORKS.items():
            if suffix and self.options.few_shot_default_only:
                continue
            foundation, folder = self._pretrained(suffix, changes)
            index = foundation.build_index(self.experiment.domains[self.domain].catalog)
            self._once(f"pretrained-0%{suffix}", lambda f=foundation, i=index: self._measure(f.recommender(i), words=0))
            if not suffix:
                self._once("pretrained-0%+words", lambda f=foundation, i=index: self._measure(f.recommender(i)))
            for share in self.options.few_shot_shares:
                part = of_users(split, share, self.options.seed)
                if not suffix:
                    self._once(
                        f"transition-counts-{share:.0%}",
                        lambda p=part: self.experiment.baseline("transition-counts", p, self.domain),
                    )
                    counted = partial(self._counted, foundation, index, part)
                    self._once(f"pretrained-{share:.0%}+counts+words-only", counted)
                self._share(share, part, index, folder, foundation, suffix)
            if not suffix:
                self._seeds(index, folder, foundation)

    def _counted(self, foundation: FoundationModel, index: SemanticIndex, part: Split) -> Any:
        recommender = foundation.recommender(index)
        fit_prior(recommender, part, COUNTS, experience=foundation.experience)
        return self._measure(recommender)

    def _share(
        self, share: float, part: Split, index: SemanticIndex, folder: Path, foundation: FoundationModel, suffix: str
    ) -> None:
        """From pretrained and from random weights, each without and with counts."""
        for counts in self.options.few_shot_kinds if not suffix else ("",):
            results: list[EvaluationResult] = []
            for start, init in (("pretrained", folder), ("from-scratch", None)):
                name = f"{start}-{share:.0%}{counts}{suffix}"
                self._once(name, partial(self._trained, index, part, init, foundation, counts, results))

    def _seeds(self, index: SemanticIndex, folder: Path, foundation: FoundationModel) -> None:
        """A tenth of the users, drawn anew, with counts, and with words beside them."""
        for seed in self.options.few_shot_seeds:
            part = of_users(self.experiment.split(self.domain), SEEDS_SHARE, seed)
            for counts in (kind for kind in self.options.few_shot_kinds if kind):
                results: list[EvaluationResult] = []
                for start, init in (("pretrained", folder), ("from-scratch", None)):
                    name = f"{start}-{SEEDS_SHARE:.0%}{counts}, seed {seed}"
                    measure = partial(self._trained, index, part, init, foundation, counts, results, seed)
                    self.experiment.once(SAMPLES, self.domain, name, measure)
                    out = self.options.out
                    rows = [*read_rows(out, TABLE), *read_rows(out, SAMPLES)]
                    write_atomic(out / f"{SAMPLES}.md", samples_page(rows))

    def _trained(
        self,
        index: SemanticIndex,
        part: Split,
        init: Path | None,
        foundation: FoundationModel,
        counts: str,
        results: list[EvaluationResult],
        seed: int | None = None,
    ) -> Any:
        seed = self.options.seed if seed is None else seed
        result, more = self._measure(self._tune(index, part, init, foundation, counts, seed))
        if results:
            more["remark"] = _difference(results[0], result)
        results.append(result)
        return result, more

    def _pretrained(self, suffix: str, changes: list[str]) -> tuple[FoundationModel, Path]:
        if not suffix:
            return self.experiment.pretrained(self.domain)[0], self.experiment.folder(self.domain)
        steps = self.options.few_shot_steps
        settings = [f"trainer.max_steps={steps}", RATE, "trainer.warmup_steps=100"]
        settings += [f"seed={self.options.seed}", NO_WORDS]
        config = load_pretrain_config("recgpt-pretrain", [*settings, *self.options.set, *changes])
        folder = self.options.work / f"few-shot{suffix}-{self.domain}"
        return pretrain(self.experiment.others(self.domain), config, folder), folder

    def _tune(
        self,
        index: SemanticIndex,
        split: Split,
        init: Path | None,
        foundation: FoundationModel,
        counts: str,
        seed: int,
    ) -> Any:
        wanted = foundation.config.model.model_dump(include={"backbone", "max_items", "options"})
        settings = [f"model.{key}={json.dumps(value)}" for key, value in wanted.items()]
        settings += ["min_steps=0"]  # the committed figures are of batches as large as with many users
        settings += [f"seed={seed}", *([] if "counts" in counts else ["generation.prior=null"])]
        settings += [] if "words" in counts else [NO_WORDS]
        settings += [f"init={init}"] if init else []
        config = load_train_config("recgpt-small", settings)
        with tempfile.TemporaryDirectory() as folder:
            return train(index, split, config, Path(folder) / "model")

    def _measure(self, recommender: Any, **changes: Any) -> tuple[EvaluationResult, dict[str, Any]]:
        result, more = self.experiment.recgpt(recommender, "exact", **changes)
        metrics = recommender.metrics
        return result, {**more, "prior": metrics.get("prior"), "best_epoch": metrics.get("best_epoch")}

    def _once(self, recommender: str, measure: Any) -> None:
        self.experiment.once(TABLE, self.domain, recommender, measure)


def _difference(pretrained: EvaluationResult, scratch: EvaluationResult) -> str:
    mask = pretrained.masks[TARGETS]
    owners = None if pretrained.owners is None else pretrained.owners[mask]
    found = paired_difference(pretrained.values(METRIC, TARGETS), scratch.values(METRIC, TARGETS), owners)
    range_ = f"({found.low:+.4f} to {found.high:+.4f}), p = {found.p_value:.4f}"
    return f"pretrained minus this, {METRIC}, {TARGETS}: {found.mean:+.4f} {range_}"


def samples_page(rows: Sequence[dict[str, Any]]) -> str:
    """Pretrained and from scratch on every sample of a tenth of the users, and how they differ over all of them."""
    pattern = re.compile(rf"(pretrained|from-scratch)-{SEEDS_SHARE:.0%}(\+counts\S*?)(?:, seed (\d+))?")
    found: dict[tuple[str, str], dict[int, dict[str, Any]]] = {}
    for row in rows:
        match = pattern.fullmatch(row["recommender"])
        if match and row["targets"] == TARGETS and not match[2].endswith("-only"):
            samples = found.setdefault((row["dataset"], match[2]), {})
            samples.setdefault(int(match[3] or 0), {})[match[1]] = row
    lines = [f"# Few-shot: other samples of a tenth of the users, {METRIC}, {TARGETS} targets", ""]
    for (dataset, counts), samples in found.items():
        pairs = {seed: pair for seed, pair in sorted(samples.items()) if len(pair) == 2}
        if len(pairs) < 2:
            continue
        shown = [
            {
                "sample": str(seed),
                **{start: row[METRIC] for start, row in pair.items()},
                "difference": pair["pretrained"][METRIC] - pair["from-scratch"][METRIC],
                **{f"{start} counts": _prior(row) for start, row in pair.items()},
            }
            for seed, pair in pairs.items()
        ]
        names = "sample", "pretrained", "pretrained counts", "from-scratch", "from-scratch counts"
        number = "{:.4f}".format
        columns = [(name, name, number if name in ("pretrained", "from-scratch") else str) for name in names]
        columns.append(("difference", "difference", "{:+.4f}".format))
        one, other = (np.array([row[start] for row in shown]) for start in ("pretrained", "from-scratch"))
        difference = one - other
        error, test = stats.sem(difference), stats.ttest_1samp(difference, 0)
        lines += [
            f"## {dataset}, {counts.strip('+').replace('+', ' and ')}",
            "",
            f"{len(pairs)} samples: pretrained {one.mean():.4f} ± {one.std(ddof=1):.4f}, from scratch "
            f"{other.mean():.4f} ± {other.std(ddof=1):.4f} (standard deviations). Paired difference "
            f"{difference.mean():+.4f} ± {error:.4f} (standard error), t-test p = {test.pvalue:.4f}; pretrained is "
            f"ahead in {(difference > 0).sum()}.",
            "",
            table(shown, columns),
            "",
        ]
    commands = dict.fromkeys(row["command"] for row in rows if ", seed " in row["recommender"])
    return "\n".join([*lines, *(f"`{command}`" for command in commands), ""])


def _prior(row: dict[str, Any]) -> str:
    """Weight and settings of the counts that were chosen."""
    prior = row["prior"]
    return f"{prior['weight']:g} x ({', '.join(f'{key} {value:g}' for key, value in prior['settings'].items())})"
