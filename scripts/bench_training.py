"""Targets a second in training, beside another checkout of genrec: the two take turns, step by step.

    python scripts/bench_training.py INDEX INTERACTIONS --config seq2seq-tiger --against PATH_OF_OTHER_CHECKOUT

Each side is a process of one thread that trains the preset on the training part: forward pass, gradients, AdamW. Time
is CPU time, so other work on the machine counts little. Batches are those of a training run from its start.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FIELDS = ("backbone", "depth_backbone", "dropout", "label_smoothing", "max_items")


def batches(dataset: Any, collate: Any, size: int, seed: int) -> Iterator[dict[str, Any]]:
    """Batches of a run, epoch after epoch."""
    sampler, epoch = dataset.sampler(size, seed=seed), 0
    while True:
        sampler.set_epoch(epoch)
        rows = list(sampler)
        for at in range(0, len(rows) - size + 1, size):
            yield collate([dataset[row] for row in rows[at : at + size]])
        epoch += 1


def first_of(*modules: str) -> Any:
    """The module of genrec that this checkout has: modules have moved."""
    for name in modules:
        try:
            return importlib.import_module(f"genrec.{name}")
        except ModuleNotFoundError:
            continue
    raise SystemExit("This checkout has none of " + ", ".join(modules))


def reads_texts(preset: dict[str, Any]) -> bool:
    """Whether codes are scored by the vectors of the catalogue's texts."""
    return bool(preset["model"]["architecture"] == "recgpt" and preset["model"].get("item_vectors"))


def candidate_collator(model: Any, codes: Any, vectors: Any, candidates: int) -> Any:
    """Batches of codes, text vectors and the items that targets are told apart from, as training reads them.

    Args:
        model: RecGPT.
        codes: ``(n_items, levels)``.
        vectors: ``(n_items, dim)``, not whitened.
        candidates: At most so many.
    """
    store = first_of("models.vector_store", "vector_store")
    tables = first_of("models.recgpt.code_vectors", "models.code_vectors")
    collators = first_of("models.recgpt.candidates", "training.candidates")
    codes, read, sizes = codes[:, : model.slots], model.whiten(vectors), model.codebook_sizes[: model.slots]
    items = store.DomainItems(
        "catalogue", codes, read, tables.item_code_vectors(codes, read, sizes, model.config.parts)
    )
    return collators.CandidateCollator([items], candidates, seed=0)


def work(folder: Path, preset: dict[str, Any], threads: int) -> None:
    """One side: answers every line of input with targets and CPU seconds of so many steps.

    Args:
        folder: With the histories and the codes.
        preset: Settings of this side, as they stand in its file.
        threads: Of torch.
    """
    import numpy as np
    import torch

    from genrec.data.histories import Histories
    from genrec.models import build_model

    examples = first_of("models.history_batches", "training.examples")
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    given, model_settings, trainer = np.load(folder / "data.npz"), preset["model"], preset["trainer"]
    fields = {name: model_settings[name] for name in FIELDS if model_settings.get(name) is not None}
    sizes = [int(size) for size in given["sizes"]]
    fields |= model_settings.get("options", {})
    if reads_texts(preset):
        own = first_of("models.recgpt.config", "models.recgpt_config")
        fields |= {**own.settings_for(json.loads(str(given["quantizer"]))), "vector_dim": given["vectors"].shape[1]}
    model = build_model(model_settings["architecture"], sizes, **fields).train()
    histories = Histories(given["users"].astype(str).astype(object), given["offsets"], given["items"])
    how = preset.get("examples", {})
    pairs = how.get("mode") == "prefixes"
    dataset = examples.HistoryExamples(
        histories, model_settings["max_items"], prefixes=pairs, drop=how.get("drop", 0.0)
    )
    size = int(trainer["per_device_train_batch_size"])
    collate = examples.CodeCollator(given["codes"])
    if reads_texts(preset):
        collate = candidate_collator(model, given["codes"], given["vectors"], how["candidates"])
    stream = batches(dataset, collate, size, 0)
    weights = list(model.parameters())
    rate, decay = float(trainer["learning_rate"]), float(trainer["weight_decay"])
    optimizer = torch.optim.AdamW(weights, lr=rate, weight_decay=decay, fused=True)
    print(json.dumps({"batch": size}), flush=True)
    for line in sys.stdin:
        targets, begun = 0, time.process_time()
        for _ in range(int(line)):
            output = model(**next(stream))
            output.loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()
            optimizer.zero_grad()
            targets += int(output.n_targets)
        print(json.dumps({"targets": targets, "seconds": time.process_time() - begun}), flush=True)


def prepare(index: str, interactions: str, config: str, folder: Path) -> None:
    """Write what both sides train on: the training part of the preset's split, and the index."""
    import numpy as np

    from genrec.data import Interactions
    from genrec.data.split import split_for
    from genrec.generative.config import load_train_config
    from genrec.index.semantic_index import SemanticIndex

    made = SemanticIndex.load(index)
    train = split_for(Interactions.read(interactions), made, load_train_config(config)).train
    users, sizes = np.asarray(train.user_ids, dtype=str), np.asarray(made.codebook_sizes)
    np.savez(
        folder / "data.npz",
        users=users,
        offsets=train.offsets,
        items=np.asarray(train.items),
        codes=made.codes,
        sizes=sizes,
        vectors=np.asarray(made.vectors()),
        quantizer=json.dumps(dict(made.recipe.quantizer)),
    )


def preset_of(checkout: Path, config: str, sets: Sequence[str]) -> dict[str, Any]:
    """A preset as a checkout has it, with some settings changed."""
    from genrec.config import apply_overrides, read_yaml

    settings: dict[str, Any] = apply_overrides(read_yaml(checkout / "genrec" / "presets" / f"{config}.yaml"), sets)
    return settings


class Side:
    """A process that trains.

    Args:
        checkout: Whose genrec it imports.
        folder: What :func:`prepare` has written.
        preset: Settings.
        threads: Of torch.
    """

    def __init__(self, checkout: Path, folder: Path, preset: dict[str, Any], threads: int) -> None:
        environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": str(threads)}
        command = [sys.executable, __file__, str(folder), json.dumps(preset), "--threads", str(threads), "--worker"]
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/"
        )
        self.rounds: list[tuple[int, float]] = []
        self.started = self._answer()

    def _answer(self) -> dict[str, Any]:
        if self.process.stdout is None:
            raise RuntimeError("no pipe")
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("a side ended before it answered; its messages stand above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def train(self, steps: int, *, keep: bool = True) -> None:
        """Some steps more."""
        if self.process.stdin is None:
            raise RuntimeError("no pipe")
        print(steps, file=self.process.stdin, flush=True)
        answer = self._answer()
        if keep:
            self.rounds.append((answer["targets"], answer["seconds"]))

    @property
    def rate(self) -> float:
        """Targets a second over all rounds: batches of long histories have other rates than those of short ones."""
        targets, seconds = map(sum, zip(*self.rounds, strict=True))
        return float(targets / seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index")
    parser.add_argument("interactions")
    parser.add_argument("--config", default="seq2seq-tiger")
    parser.add_argument("--against", type=Path, help="the other checkout")
    parser.add_argument("--set", action="append", default=[], help="a setting, for both sides")
    parser.add_argument("--set-here", action="append", default=[], help="a setting, for this side alone")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=5, help="of a round")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        work(Path(given.index), json.loads(given.interactions), given.threads)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        prepare(given.index, given.interactions, given.config, folder)
        presets = {"here": (ROOT, [*given.set, *given.set_here])}
        if given.against is not None:
            presets["there"] = (given.against.resolve(), given.set)
        sides = {
            name: Side(checkout, folder, preset_of(checkout, given.config, sets), given.threads)
            for name, (checkout, sets) in presets.items()
        }
        for side in sides.values():
            side.train(2, keep=False)
        for _ in range(given.rounds):
            for side in sides.values():
                side.train(given.steps)
    for name, side in sides.items():
        shown = ", ".join(f"{targets / seconds:.0f}" for targets, seconds in side.rounds)
        print(f"{name}: {side.rate:.0f} targets a second, batches of {side.started['batch']} rows (rounds: {shown})")
        side.process.kill()
    if given.against is not None:
        print(f"ratio: {sides['here'].rate / sides['there'].rate:.2f}")


if __name__ == "__main__":
    main()
