"""GRPO of our trainer beside trl.GRPOTrainer with the bridge: examples a second on a decoder of the same sizes.

python scripts/trl_speed.py INDEX INTERACTIONS --write

Both learn from the same histories in the same batches, with groups of the same size, the same rewards, a divergence
from the start, one thread, and random weights: how fast a step is does not depend on what was learned. Examples are
histories with their groups. Steps are timed in CPU time, the first ones left out, in turns. Ours reads a history once
for all items of a group and scores legal codes; TRL reads every completion with its prompt and scores the whole
vocabulary.
Writes scripts/results/trl-speed.json and .md.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import TrainerCallback

from genrec.data import Interactions
from genrec.data.histories import Histories
from genrec.data.split import split_for
from genrec.generative.config import load_train_config
from genrec.generative.recommender import GenerativeRecommender
from genrec.index.semantic_index import SemanticIndex
from genrec.models import find_network
from genrec.training.policy.rewards import Rewards, RewardSettings
from genrec.training.train import train
from genrec.training.trl_bridge import CatalogRewards, CatalogRollouts

RESULTS = Path(__file__).resolve().parent / "results"
WARM = 2
"""Steps that are not timed."""
SPECIAL = ["<pad>", "<eos>", "<unk>"]


class StepTimes(TrainerCallback):
    """CPU seconds of every step."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.began = 0.0

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the clock."""
        self.began = time.process_time()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop it."""
        self.seconds.append(time.process_time() - self.began)

    def middle(self) -> float:
        """Median of the steps that count."""
        return float(np.median(self.seconds[WARM:]))


def ours(index: SemanticIndex, split: Any, options: argparse.Namespace, folder: Path) -> tuple[float, float]:
    """CPU seconds of a step, and the share of roll-outs in it."""
    if not (folder / "start").is_dir():
        settings = load_train_config("decoder-small")
        network = find_network("decoder").create(index, settings)
        GenerativeRecommender(network, index, settings).save_pretrained(folder / "start")
    changes = [
        f"init={folder / 'start'}",
        "model.architecture=decoder",
        f"objective.rollouts.group={options.group}",
        "objective.rollouts.method=sample",
        "objective.rollouts.include_target=false",
        f"trainer.per_device_train_batch_size={options.batch}",
        f"trainer.max_steps={options.steps + WARM}",
        'trainer.eval_strategy="no"',
        'trainer.save_strategy="no"',
        "trainer.load_best_model_at_end=false",
        "trainer.logging_strategy=steps",
        "trainer.logging_steps=1",
        "generation.prior=null",
        "generation.words=0",
    ]
    times = StepTimes()
    config = load_train_config("grpo-item-decoder", changes)
    made = train(index, split, config, folder / "ours", callbacks=[times], overwrite=True)
    logs = [one for one in made.metrics["log"] if "rollout_seconds" in one][WARM:]
    share = sum(one["rollout_seconds"] for one in logs) / sum(one["step_seconds"] for one in logs)
    return times.middle(), share


def theirs(index: SemanticIndex, histories: Histories, options: argparse.Namespace, folder: Path) -> float:
    """CPU seconds of a step of TRL over the same histories."""
    import trl
    from datasets import Dataset
    from transformers import AutoConfig, AutoModelForCausalLM

    tokenizer, tokens = vocabulary(index)
    settings = load_train_config("decoder-small").model.backbone
    sizes = {name: value for name, value in settings.items() if name != "model_type"}
    config = AutoConfig.for_model(
        settings["model_type"], vocab_size=len(tokenizer), eos_token_id=1, pad_token_id=0, **sizes
    )
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder / "hf")
    model = AutoModelForCausalLM.from_pretrained(folder / "hf")  # TRL reads the start again from where it was
    rollouts = CatalogRollouts(index.trie, tokens, method="sample", eos_token_id=1)
    terms = [RewardSettings(name="hit"), RewardSettings(name="prefix", weight=0.2)]
    names = [[f"l{level}c{code}" for level, code in enumerate(codes)] for codes in index.codes.tolist()]
    rows = {
        "prompt": [" ".join(word for item in one[:-1] for word in names[item]) for one in histories],
        "target": [str(index.item_ids[one[-1]]) for one in histories],
    }
    arguments = trl.GRPOConfig(
        output_dir=str(folder / "trl"),
        per_device_train_batch_size=options.batch * options.group,
        num_generations=options.group,
        max_completion_length=index.codes.shape[1] + 1,
        max_steps=options.steps + WARM,
        learning_rate=1e-4,
        beta=0.01,
        report_to="none",
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
    )
    times = StepTimes()
    trainer = trl.GRPOTrainer(
        model,
        reward_funcs=[CatalogRewards(Rewards(terms, index, histories), rollouts, index.item_ids)],
        args=arguments,
        train_dataset=Dataset.from_dict(rows),
        processing_class=tokenizer,
        rollout_func=rollouts,
        callbacks=[times],
    )
    trainer.train()
    return times.middle()


def vocabulary(index: SemanticIndex) -> tuple[Any, list[list[int]]]:
    """A tokenizer with one word a code, and the tokens of every level."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = {name: n for n, name in enumerate(SPECIAL)}
    tokens = []
    for level, size in enumerate(index.codebook_sizes):
        tokens.append(list(range(len(words), len(words) + size)))
        words |= {f"l{level}c{code}": token for code, token in enumerate(tokens[-1])}
    plain = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    plain.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=plain, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>"
    ), tokens


def page(rows: Sequence[dict[str, Any]], about: dict[str, Any]) -> str:
    """The results as Markdown."""
    own, other = (float(np.median([row[key] for row in rows])) for key in ("ours", "trl"))
    share = float(np.median([row["rollout_share"] for row in rows]))
    batch, group = about["batch"], about["group"]
    lines = [
        "# GRPO beside TRL",
        "",
        f"`{about['command']}`",
        "",
        f"A decoder of the sizes of `decoder-small` with random weights over {about['items']:,} items, histories of "
        f"{about['length']} items, {batch} histories a step with groups of {group}, {about['steps']} steps in each of "
        f"{len(rows)} rounds in turns, trl {about['trl']}, one thread, CPU time.",
        "",
        "| trainer | CPU seconds a step | histories a CPU second |",
        "|---|--:|--:|",
        f"| genrec | {own:.2f} | {batch / own:.1f} |",
        f"| trl.GRPOTrainer with the bridge | {other:.2f} | {batch / other:.1f} |",
        "",
        f"Ours learns from {other / own:.1f} times as many histories in the same time. Its roll-outs are {share:.0%} "
        "of a step.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("index", type=Path)
    parser.add_argument("interactions", type=Path)
    parser.add_argument("--batch", type=int, default=16, help="Histories a step.")
    parser.add_argument("--group", type=int, default=8, help="Items a history.")
    parser.add_argument("--length", type=int, default=10, help="Items of a history.")
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    import trl

    os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
    torch.set_num_threads(1)
    index = SemanticIndex.load(options.index)
    split = split_for(Interactions.read(options.interactions), index, load_train_config("decoder-small"))
    long = [items[: options.length + 1].tolist() for items in split.train if len(items) > options.length]
    needed = options.batch * (options.steps + WARM)
    chosen = Histories.from_lists((long * (1 + needed // max(1, len(long))))[:needed])
    nobody = np.zeros(0, dtype=np.int64)
    own_split = replace(split, train=chosen, validation=split.validation.select(nobody))
    rows = []
    with tempfile.TemporaryDirectory() as place:
        for turn in range(options.rounds):
            own, share = ours(index, own_split, options, Path(place))
            row = {"round": turn, "ours": own, "rollout_share": share}
            row["trl"] = theirs(index, chosen, options, Path(place))
            rows.append(row)
            print(row, flush=True)
    words = f"--batch {options.batch} --group {options.group} --length {options.length} --steps {options.steps}"
    about = {
        "command": f"python scripts/trl_speed.py INDEX INTERACTIONS {words} --rounds {options.rounds}",
        "items": len(index.item_ids),
        "trl": trl.__version__,
        **{name: getattr(options, name) for name in ("batch", "group", "length", "steps")},
    }
    if options.write:
        content = {"about": about, "rows": rows}
        (RESULTS / "trl-speed.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        (RESULTS / "trl-speed.md").write_text(page(rows, about), encoding="utf-8")


if __name__ == "__main__":
    main()
