"""Measures what a preset costs on a CPU: memory, time of a row in training, time of a user in decoding.

    python scripts/preset_cost.py FOLDER [--lm DECODER] [--text ENCODER] [--seq2seq ENCODER_DECODER] [--only PRESET ...]

Every preset is trained for a few steps, as it is, on a thousand users of the demo shop, by one thread in a process of
its own. FOLDER holds tables, indexes and models. Presets of language models need a Hugging Face folder each, and are
measured at four rows a batch. Where a language model reads the histories before the network learns, a few steps of its
teaching are measured too, and what it takes to ask it about every history. Times are CPU time. Writes
scripts/results/preset-cost.json, where rows of the same preset are replaced; then run scripts/preset_tables.py.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import shutil
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from genrec.artifacts import write_atomic
from genrec.assets import asset_names, find_asset, remark_of
from genrec.errors import ConfigError, GenRecError

RESULTS = Path(__file__).resolve().parent / "results" / "preset-cost.json"
BASE, AFTER = "item-decoder-small", ("grpo-", "exact-reward-", "sdpo-")
STARTS = {
    "item-decoder": BASE,
    "recgpt": "recgpt-small",
    "vector-decoder": "vector-decoder",
    "seq2seq": "seq2seq-tiger",
}
STARTS |= {"llm": "llm-decoder-lora"}
LEFT_OUT = {"demo", "recgpt-pretrain"}
"""Made for its own shop; made for many catalogues."""
READS_FIRST = "llm4dsr"  # its language model reads every history before the network learns
USERS, STEPS, LM_STEPS, LM_ROWS = 1_000, 5, 3, 4
LM_FIT = 20
"""Examples to which code rows are fitted before the first step; a preset takes 500, which is no part of a step."""
DECODED, LM_DECODED = 64, 2
"""Users that are decoded. One that scores a title after the other takes most of a minute for each."""


def main() -> None:
    """Measure presets, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    for name in ("--lm", "--text", "--seq2seq"):
        parser.add_argument(name, default=None)
    parser.add_argument("--only", nargs="*", default=None)
    given = parser.parse_args()
    prepare(given.folder)
    names = [BASE, *(name for name in asset_names("presets", ".yaml") if name not in LEFT_OUT | {BASE})]
    names.sort(key=lambda name: (name != BASE, name.startswith(AFTER)))  # post-training starts from what is there
    for name in names:
        if given.only is None or name in given.only:
            # not forked: what runs threads of its own (polars) waits for them forever in a copy
            process = multiprocessing.get_context("spawn").Process(target=tried, args=(name, given))
            process.start()
            process.join()


def tried(name: str, given: argparse.Namespace) -> None:
    """Measure a preset and keep its row, or say why not."""
    torch.set_num_threads(1)
    try:
        row = measure(name, given)
    except GenRecError as error:
        print(name, error, flush=True)
        return
    keep(row)
    print(json.dumps(row), flush=True)


def prepare(folder: Path) -> None:
    """A thousand users of the demo shop."""
    from genrec.data.shop import make_shop

    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "interactions.parquet").is_file():
        items, interactions = make_shop()
        some = interactions["user_id"].unique(maintain_order=True)[:USERS]
        items.write_parquet(folder / "items.parquet")
        interactions.filter(interactions["user_id"].is_in(some.implode())).write_parquet(
            folder / "interactions.parquet"
        )


def index_for(name: str, folder: Path) -> Any:
    """The index of a preset's recipe over vectors that need no model; made once."""
    from genrec import Catalog, SemanticIndex
    from genrec.data import Interactions
    from genrec.data.split import leave_one_out
    from genrec.index.recipe import TokenizerRecipe, load_recipe

    wanted = remark_of(find_asset("presets", name, ".yaml", "preset").read_text(encoding="utf-8"), "index")
    wanted = wanted or ("fsq-recgpt-minilm" if "recgpt" in name else "rq-kmeans-3x256")
    target = folder / f"index-{wanted}"
    if not target.is_dir():
        changed = {"encoder": {"name": "lsa", "dim": 128}, "text": None}
        recipe = TokenizerRecipe.model_validate({**load_recipe(wanted).model_dump(), **changed})
        catalog, events = Catalog.read(folder / "items.parquet"), Interactions.read(folder / "interactions.parquet")
        train = leave_one_out(events.histories(catalog.item_ids)).train
        SemanticIndex.build(catalog, recipe, train=train).save(target)
    return SemanticIndex.load(target)


def option_of(name: str) -> str:
    """Which language model a preset takes: ``lm``, ``text`` or ``seq2seq``; empty where it needs none."""
    from genrec.generative.config import load_train_config

    model = load_train_config(name).model
    if "checkpoint" not in model.model_fields_set and name not in {"grpo-llm", READS_FIRST}:
        return ""
    if model.architecture in {"text-encoder", "preference-decoder"}:
        return "text"
    return "lm" if "seq2seq" not in name else "seq2seq"


def settings_of(name: str, given: argparse.Namespace, start: Path | None) -> tuple[Any, bool]:
    """The settings of a preset for a few steps, and whether it is around a language model."""
    from genrec.generative.config import load_train_config
    from genrec.generative.started import started

    plain, option = load_train_config(name), option_of(name)
    reader = bool(option) and name != READS_FIRST
    steps = LM_STEPS if reader else STEPS
    changes = [
        f"trainer.max_steps={steps}",
        f"trainer.eval_steps={steps}",
        f"trainer.save_steps={steps}",
        "min_steps=0",
    ]
    changes += [
        f"validation.users={LM_DECODED if reader else 8}",
        "generation.prior=null",
        "generation.words=0",
        "validation.patience=50",
    ]
    checkpoint = vars(given)[option] if option else None
    if option and checkpoint is None:
        raise ConfigError(f"No language model is given for it: --{option}.")
    if name == READS_FIRST:
        changes += [f"transforms=[{{name: {name}, checkpoint: {checkpoint}, steps: {LM_STEPS}}}]"]
    if reader:
        changes += [] if start else [f"model.checkpoint={checkpoint}"]
        changes += [f"trainer.per_device_train_batch_size={LM_ROWS}", "trainer.gradient_accumulation_steps=1"]
        changes += [f"model.llm.fit_code_rows={LM_FIT}"]
    if "teacher" in plain.objective:
        changes += [f"objective.teacher={given.folder / 'models' / BASE}"]
    if start is not None:
        changes += [f"init={start}"]
    config = load_train_config(name, changes)
    return (started(config) if start else config), reader


def measure(name: str, given: argparse.Namespace) -> dict[str, Any]:
    """Train a few steps, decode some users."""
    from genrec.data import Interactions
    from genrec.data.split import split_for
    from genrec.training.pace import peak_memory
    from genrec.training.train import train

    start = None
    if name.startswith(AFTER):
        kind = name.split("-", 2)[-1] if name.startswith("exact-reward-") else name.split("-", 1)[1]
        start = given.folder / "models" / STARTS[kind.removeprefix("reward-")]
    index = index_for(start.name if start else name, given.folder)
    config, reader = settings_of(name, given, start)
    out = given.folder / "models" / name
    shutil.rmtree(out, ignore_errors=True)
    steps, lines = steps_clock(), LinesClock()
    events = Interactions.read(given.folder / "interactions.parquet")
    recommender = train(index, events, config, out, callbacks=[steps])
    held, rows = peak_memory(), config.trainer.get("per_device_train_batch_size", 8)
    cases = split_for(events, index, config).test.histories.select(np.arange(LM_DECODED if reader else DECODED))
    recommender.recommend(cases.select(np.arange(1)), 10)
    began = time.process_time()
    recommender.recommend(cases, 10)
    option = option_of(name)
    given_model = f" --{option} {Path(vars(given)[option]).name}" if option else ""
    return {
        "preset": name,
        "command": f"python scripts/preset_cost.py FOLDER{given_model} --only {name}",
        "parameters": recommender.model.num_parameters(),
        "trainable": recommender.metrics.get("trainable_parameters"),
        "rows_a_batch": rows,
        "ms_a_row": round(1000 * statistics.median(steps.seconds[1:]) / rows, 2),
        "training_gib": None if held is None else round(held / 2**30, 2),
        "ms_a_user": round(1000 * (time.process_time() - began) / len(cases), 2),
        **(lines.costs() if name == READS_FIRST else {}),
    }


class LinesClock(logging.Handler):
    """CPU seconds at every line that the transform of histories logs: one a step of teaching, one at its end."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.at: list[float] = []
        logger = logging.getLogger(f"genrec.training.transforms.{READS_FIRST}")
        logger.setLevel(logging.DEBUG)
        logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the time."""
        self.at.append(time.process_time())

    def costs(self) -> dict[str, float]:
        """Milliseconds of a history that teaches, and of one that is asked about."""
        from genrec.training.transforms.llm4dsr import LLM4DSRSettings

        *taught, end = self.at
        rows = LLM4DSRSettings().batch_size
        return {
            "teaching_ms_a_history": round(1000 * (taught[-1] - taught[0]) / (len(taught) - 1) / rows, 2),
            "asking_ms_a_history": round(1000 * (end - taught[-1]) / USERS, 2),
        }


def steps_clock() -> Any:
    """A callback that keeps the CPU seconds of every step."""
    from transformers import TrainerCallback

    class Clock(TrainerCallback):  # type: ignore[misc]
        def __init__(self) -> None:
            self.seconds: list[float] = []

        def on_step_begin(self, *_: Any, **__: Any) -> None:
            self._began = time.process_time()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            self.seconds.append(time.process_time() - self._began)

    return Clock()


def keep(row: dict[str, Any], path: Path = RESULTS) -> None:
    """Put a row in the place of the one of the same preset."""
    old = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    rows = sorted([one for one in old if one["preset"] != row["preset"]] + [row], key=lambda one: one["preset"])
    write_atomic(path, json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
