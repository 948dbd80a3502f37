"""Every family of language models that transformers builds small: its scores are exact, or it is refused in time.

For each family a random checkpoint of a few thousand weights is trained for an epoch through the ordinary door. Then
the score of every item is compared with one plain, uncached forward of the model that was saved; beams with exact
scores, a batch with single users, the merged model with the adapter, loaded with saved. Nothing else than ``exact`` and
``refused`` (before the first step, with a reason) is right.

    python scripts/check_families.py --out scripts/results/families
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

EXACT, PART = 1e-4, 1e-5
"""Log-probabilities no farther apart, or by no more than this part of the largest, differ by rounding alone."""
SECONDS, MEMORY, LARGEST = 60, 8 << 30, 50_000_000
"""A family may take so long and so much before it counts as a fault."""
SETTINGS = [
    "model.trie_masked_loss=false",  # plain forwards are compared over the whole vocabulary
    "model.llm.lora.r=4",
    "model.max_items=6",
    "trainer.num_train_epochs=1",
    "trainer.per_device_train_batch_size=16",
    "trainer.learning_rate=0.003",
    "trainer.warmup_steps=1",
    "validation.users=4",
    "validation.beams=5",
    "validation.k=5",
]
PRESETS = {"causal": "llm-decoder-lora", "seq2seq": "llm-seq2seq-lora", "encoder": "llm-text-encoder"}


def shop(folder: Path) -> tuple[Any, Any]:
    """An index of 80 invented items, and interactions of 12 users."""
    from genrec import Catalog, Interactions, SemanticIndex
    from genrec.data.shop import make_shop
    from genrec.index.recipe import load_recipe

    items, rows = make_shop(n_items=80, n_users=12)[:2]
    recipe = load_recipe("rq-kmeans-3x256", ["encoder.name=lsa", "quantizer.codebook_size=6"])
    return SemanticIndex.build(Catalog.from_frame(items), recipe), Interactions.from_frame(rows)


def make_tokenizer(texts: Sequence[str]) -> Any:
    """A byte-level BPE that knows some words of the shop."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    special = ["<pad>", "<s>", "</s>", "<unk>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    raw.train_from_iterator(texts, trainer)
    names = dict(zip(("pad_token", "bos_token", "eos_token", "unk_token"), special, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=raw, **names)


def save_checkpoint(family: Any, tokenizer: Any, folder: Path) -> None:
    """A model with lively random weights and the sampling defaults that chat models carry."""
    import torch
    import transformers
    from family_configs import small_config

    ids = {"vocab_size": len(tokenizer) + 5, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    config = small_config(family, {**ids, "decoder_start_token_id": 1})
    torch.manual_seed(1)
    loaders = {"causal": "AutoModelForCausalLM", "seq2seq": "AutoModelForSeq2SeqLM", "encoder": "AutoModel"}
    loader = getattr(transformers, loaders[family.kind])
    if family.kind == "encoder" and config.is_encoder_decoder:
        loader = transformers.AutoModelForSeq2SeqLM
    with torch.device("meta"):
        weights = sum(value.numel() for value in loader.from_config(config).parameters())
    if weights > LARGEST:
        raise ValueError(f"{weights:,} weights are not small")
    model = loader.from_config(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim >= 2:
                weight.mul_(2.0 if "t5" in config.model_type else 4.0)
            elif "bias" in name:
                weight.add_(torch.randn_like(weight) * 0.2)
    if "untied" in family.name:
        model.lm_head.weight = torch.nn.Parameter(torch.randn_like(model.lm_head.weight))
        model.config.tie_word_embeddings = False
    if getattr(model, "generation_config", None) is not None:
        model.generation_config.update(do_sample=True, temperature=0.3, top_k=3, repetition_penalty=1.7)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def plain_scores(recommender: Any, histories: Sequence[Sequence[str]]) -> Any:
    """Log-probability of every item by plain forwards of single prompts: no cache, no padding, no search."""
    import numpy as np
    import torch

    model, index = recommender.model, recommender.index
    base, lm = model.base, model.lm
    known = recommender.to_histories(histories).last(recommender.config.model.max_items)
    batch = model.reader(index, recommender.config)(known)
    ids = torch.as_tensor(np.asarray(model.tokens.ids_of(index.codes)), dtype=torch.int64)
    rows = []
    for user in range(len(histories)):
        prompt = batch["input_ids"][user][batch["attention_mask"][user].bool()].expand(len(ids), -1)
        with torch.no_grad():
            if model.seq2seq:
                start = base.config.decoder_start_token_id
                start = base.generation_config.decoder_start_token_id if start is None else start
                known_ids = torch.cat([torch.full((len(ids), 1), int(start)), ids[:, :-1]], dim=1)
                settings = {"attention_mask": torch.ones_like(prompt), "use_cache": False}
                read = {"encoder_outputs": item_causal(model, prompt)} if model.reads_whole else {"input_ids": prompt}
                logits = lm(**read, decoder_input_ids=known_ids, **settings).logits
            else:
                whole = torch.cat([prompt, ids], dim=1)
                logits = lm(input_ids=whole, attention_mask=torch.ones_like(whole), use_cache=False).logits
                logits = logits[:, prompt.shape[1] - 1 : -1]
        rows.append(logits.double().log_softmax(-1).gather(-1, ids[..., None])[..., 0].sum(1).numpy())
    return np.stack(rows)


def item_causal(model: Any, prompt: Any) -> Any:
    """The encoder's output where a token sees its own item and what stands before it, with a mask written out here."""
    import torch
    from transformers.modeling_outputs import BaseModelOutput

    first = {int(token) for token in model.tokens.ids[0]}
    begun = torch.tensor([token in first for token in prompt[0].tolist()]).cumsum(0)
    hidden = torch.zeros(len(begun), len(begun)).masked_fill(begun[:, None] < begun, torch.finfo(torch.float32).min)
    mask = hidden.expand(len(prompt), 1, -1, -1)
    read = model.base.get_encoder()(input_ids=prompt, attention_mask=mask)
    made = BaseModelOutput(last_hidden_state=read.last_hidden_state)
    made.router_logits = None  # NLLB-MoE asks for how experts were chosen
    return made


def differences(out: Path, kind: str, tuning: str) -> dict[str, float]:
    """How far apart what must be equal is, by name."""
    import numpy as np

    from genrec import Recommender

    recommender = Recommender.from_pretrained(out)
    ids, rng = list(recommender.item_ids), np.random.default_rng(0)
    histories = [[ids[n] for n in rng.integers(0, len(ids), length)] for length in (1, 3, 6, 5)]
    scores = recommender.score_items(histories)
    everything = {"beams": len(ids)}

    def best(made: Any) -> Any:
        return np.asarray(made.recommend(histories, k=10, exclude_seen=False, options=everything).scores)

    found = {} if kind == "encoder" else {"plain": plain_scores(recommender, histories) - scores}
    found["beams"] = best(recommender) + np.sort(-scores, axis=1)[:, :10]
    found["single"] = np.concatenate([recommender.score_items([history]) for history in histories]) - scores
    recommender.merge()
    found["merged"] = recommender.score_items(histories) - scores
    recommender.save_pretrained(out.with_name("merged"))
    again = Recommender.from_pretrained(out.with_name("merged"))
    found["merged and loaded"] = again.score_items(histories) - scores
    found["merged beams"] = best(again) + np.sort(-scores, axis=1)[:, :10]
    size = {"spread": float(np.asarray(scores).std()), "largest": float(np.abs(scores).max())}
    return {**{name: float(np.abs(gap).max()) for name, gap in found.items()}, **size}


def check(family: Any, tuning: str, index: Any, interactions: Any, tokenizer: Any, work: Path) -> dict[str, Any]:
    """One row of the table."""
    from transformers import TrainerCallback

    from genrec.errors import GenRecError
    from genrec.generative.config import load_train_config
    from genrec.training.train import train

    class Steps(TrainerCallback):
        done = 0

        def on_step_begin(self, *_: Any, **__: Any) -> None:
            self.done += 1

    row = {"benchmark": "families", "family": family.name, "kind": family.kind, "tuning": tuning}
    try:
        save_checkpoint(family, tokenizer, work / "base")
    except Exception as error:  # what transformers cannot build is no family of this table
        return {**row, "outcome": "not built", "reason": f"{type(error).__name__}: {str(error)[:200]}"}
    steps, began = Steps(), time.process_time()
    try:
        config = load_train_config(
            PRESETS[family.kind], [f"model.checkpoint={work / 'base'}", f"model.llm.tuning={tuning}", *SETTINGS]
        )
        train(index, interactions, config, work / "out", callbacks=[steps])
        gaps = differences(work / "out", family.kind, tuning)
    except GenRecError as error:
        outcome = "refused" if not steps.done else "raw error"
        return {**row, "outcome": outcome, "reason": error.what, "difference": None}
    except Exception as error:
        place = [line for line in traceback.format_exc().splitlines() if "genrec/" in line]
        return {**row, "outcome": "raw error", "reason": f"{type(error).__name__}: {error}"[:500], "place": place[-2:]}
    network = json.loads((work / "out" / "model" / "config.json").read_text())
    worst = max(value for name, value in gaps.items() if name not in ("spread", "largest"))
    right = worst <= max(EXACT, PART * gaps["largest"]) and gaps["spread"] > 0  # a comparison with NaN is false
    way = {"decoding": network.get("decoding"), "own_logits": network.get("own_logits")}
    way["reads_whole"] = network.get("history_attention") == "item-causal" and family.kind == "seq2seq"
    made = {"outcome": "exact" if right else "wrong", "reason": "", "difference": float(f"{worst:.2g}")}
    return {**row, **made, **way, "seconds": round(time.process_time() - began, 1), **({} if right else {"gaps": gaps})}


def worker(pairs: Sequence[tuple[str, str]], out: Path) -> None:
    """Check some families in this process, one line of JSON each."""
    import torch
    import transformers
    from family_configs import families

    known = families()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()

    def late(*_: Any) -> None:
        raise TimeoutError(f"more than {SECONDS} s")

    signal.signal(signal.SIGPROF, late)  # at so much time of the processor
    with tempfile.TemporaryDirectory() as folder:
        index, interactions = shop(Path(folder))
        texts = [" ".join(map(str, values)) for values in index.catalog.frame.rows()]
        tokenizer_texts = [*texts, *["A user chose these items, oldest first: The next item is:"] * 50]
        for name, tuning in pairs:
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            with tempfile.TemporaryDirectory(dir=folder) as work:
                row = check(known[name], tuning, index, interactions, make_tokenizer(tokenizer_texts), Path(work))
            signal.setitimer(signal.ITIMER_PROF, 0)
            with out.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(row) + "\n")


def run(pairs: Sequence[tuple[str, str]], batch: int, until: float) -> Iterator[list[dict[str, Any]]]:
    """Rows of all families, some at a time; a process that dies is a fault of the family that it was at.

    Args:
        pairs: Family and tuning.
        batch: Pairs a process.
        until: No process starts after this time (of ``time.monotonic``).
    """
    waiting = list(pairs)
    with tempfile.TemporaryDirectory() as folder:
        while waiting and time.monotonic() < until:
            lines = Path(folder) / "rows"
            lines.write_text("")
            part, waiting = waiting[:batch], waiting[batch:]
            named = [":".join(pair) for pair in part]
            command = [sys.executable, __file__, "--worker", str(lines), "--pairs", *named]
            done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False)
            rows = [json.loads(line) for line in lines.read_text().splitlines()]
            if done.returncode and len(rows) < len(part):
                family, tuning = part[len(rows)]
                died = {"outcome": "raw error", "reason": f"the process ended with {done.returncode}"}
                rows.append({"benchmark": "families", "family": family, "tuning": tuning, **died})
                waiting = part[len(rows) :] + waiting
            yield rows


def main() -> None:
    """Check families and write the table."""
    from family_configs import families
    from family_table import known_rows, write

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", nargs="*", default=list(families()))
    parser.add_argument("--kind", choices=["causal", "seq2seq", "encoder"], help="families of this kind only")
    parser.add_argument("--tunings", nargs="*", default=["lora", "full"])
    parser.add_argument("--batch", type=int, default=16, help="runs a process")
    parser.add_argument("--out", type=Path, help="the table, without suffix; what it holds already is not run again")
    parser.add_argument("--again", action="store_true", help="run again what the table holds")
    parser.add_argument("--minutes", type=float, default=1e6, help="start nothing after so long")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--pairs", nargs="*", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        worker([tuple(pair.split(":")) for pair in arguments.pairs], arguments.worker)
        return
    kinds = {name: family.kind for name, family in families().items()}
    if unknown := set(arguments.families) - set(kinds):
        parser.error(f"no family is called {', '.join(sorted(unknown))}; there are {', '.join(sorted(kinds))}")
    done = set() if arguments.again or not arguments.out else set(known_rows(arguments.out))
    pairs = [
        (name, tuning)
        for name in arguments.families
        for tuning in arguments.tunings
        if arguments.kind in (None, kinds[name]) and (name, tuning) not in done
    ]
    faults = 0
    for rows in run(pairs, arguments.batch, time.monotonic() + 60 * arguments.minutes):
        for row in rows:
            print(json.dumps({key: value for key, value in row.items() if key != "benchmark"}), flush=True)
            faults += row["outcome"] not in ("exact", "refused", "not built")
        if arguments.out:
            write(rows, arguments.out)
    raise SystemExit(faults > 0)


if __name__ == "__main__":
    main()
