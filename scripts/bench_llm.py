"""LoRA training and decoding of a real language model: this build beside another one and beside Trainer with peft.

    python scripts/fetch_small_models.py --out models
    python scripts/bench_llm.py INDEX interactions.csv models/smollm2 --before CHECKOUT_OF_03d8e9b --write

Every way runs in a process of its own, in turns. All train on the same whole histories through transformers' Trainer:
both builds on batches of rows of similar length, the plain way (peft on the model of transformers, padded batches in
random order, logits of the whole vocabulary) on the same rows. Then 8 users of 20 items are decoded with 20 beams.
Tokens are those of the examples, without padding; one that is read once for a whole batch counts as often as it stands
there. Seconds are CPU seconds of one thread, memory is the most that the process held. Writes
scripts/results/llm-speed.{json,md}.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"
PRESET, RATE, WARM_UP = "llm-decoder-lora", 5e-4, 2
LORA = {"r": 16, "lora_alpha": 32, "lora_dropout": 0.05, "target_modules": "all-linear"}
USERS, BEAMS, HISTORY = 8, 20, 20
WAYS = {
    "before": "the build before, as its preset has it (float32)",
    "before-bfloat16": "the build before, told to use bfloat16",
    "plain": "transformers' Trainer with peft, float32",
    "now": "this build, as its preset has it",
    "now-float32": "this build, told to use float32",
    "before-masked": "the build before, loss among legal codes",
    "now-masked": "this build, loss among legal codes",
}


# -- what all ways share: examples and prompts as token ids --


def prepare(options: argparse.Namespace) -> dict[str, Any]:
    """Examples in the order of training, prompts, codes: read by every way from one file."""
    from genrec import Interactions, SemanticIndex
    from genrec.data.split import split_for
    from genrec.generative.config import load_train_config
    from genrec.models.llm.code_tokens import CodeTokens
    from genrec.models.llm.creation import language_examples
    from genrec.models.llm.source import LanguageSource
    from genrec.prompts import ItemTexts
    from genrec.prompts.reader import PromptReader

    rows = options.batch * (WARM_UP + options.steps)
    config = load_train_config(PRESET, [f"prompts.rows_per_epoch={max(rows, 50 * options.batch)}"])
    index = SemanticIndex.load(options.index)
    split = split_for(Interactions.read(options.interactions), index, config)
    tokenizer = LanguageSource(options.checkpoint).tokenizer()
    tokens = CodeTokens(tuple(index.codebook_sizes))
    tokens.add_to(tokenizer)
    texts = ItemTexts(index.catalog, index.codes, tokens)
    kinds = {"reads_apart": False, "codes_only": False, "whole": True}
    examples = language_examples(config, texts, tokenizer, split.train, **kinds)
    order = list(examples.sampler(options.batch, pool=50, seed=0))[:rows]
    longest = split.train.select(split.train.lengths.argsort()[::-1][:USERS].copy()).last(HISTORY)
    reader = PromptReader(config.tasks, texts, tokenizer, seq2seq=False, prompts=config.prompts)
    return {
        "rows": [examples[row] for row in order],
        "prompts": {name: value.tolist() for name, value in reader(longest).items()},
        "codes": index.codes.tolist(),
        "sizes": list(index.codebook_sizes),
    }


# -- one way in a process of its own --


def child(way: str, file: Path, options: argparse.Namespace) -> None:
    """Train, decode, print the figures."""
    import torch

    material = json.loads(file.read_text())
    torch.manual_seed(0)
    model, tokenizer = plain_model(material, options) if way == "plain" else built(material, options, way)
    found = train(model, tokenizer, material["rows"], options, shuffled=way == "plain")
    found["memory_gib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    if way != "plain" and "masked" not in way:
        found |= decode(model.eval(), material)
    print(json.dumps(found))


def plain_model(material: dict[str, Any], options: argparse.Namespace) -> tuple[Any, Any]:
    """The model of transformers with peft around it, as its documentation has it."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(options.checkpoint)
    names = [f"<{'abcdefgh'[level]}_{code}>" for level, size in enumerate(material["sizes"]) for code in range(size)]
    tokenizer.add_tokens(names)
    model = AutoModelForCausalLM.from_pretrained(options.checkpoint)
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    ids = tokenizer.convert_tokens_to_ids(names)
    return get_peft_model(model, LoraConfig(**LORA, trainable_token_indices={"embed_tokens": ids})), tokenizer


def built(material: dict[str, Any], options: argparse.Namespace, way: str) -> tuple[Any, Any]:
    """The language model of the genrec that ``PYTHONPATH`` says, as its preset would have it unless ``way`` differs."""
    import numpy as np

    from genrec.trie import Trie

    try:
        from genrec.models.llm.code_rows import RowStart
        from genrec.models.llm.language_model import LanguageModel, LanguageModelConfig
    except ImportError:
        from genrec.models.llm import LanguageModel, LanguageModelConfig
        from genrec.models.llm_rows import RowStart
    named = [dtype for dtype in ("float32", "bfloat16") if dtype in way]
    dtype = named[0] if named else "fastest" if way.startswith("now") else "float32"
    source = {"checkpoint": options.checkpoint, "dtype": dtype}
    config = LanguageModelConfig(codebook_sizes=material["sizes"], source=source, lora=LORA, max_items=20)
    model = LanguageModel.build(config, RowStart())
    trie = Trie.from_codes(np.asarray(material["codes"], dtype=np.int32), tuple(material["sizes"]))
    model.prepare(trie, trie_masked_loss="masked" in way)
    if hasattr(model, "pack_prompts"):  # as the check before training finds for this family
        model.pack_prompts(True)
    return model, model.tokenizer


def train(model: Any, tokenizer: Any, rows: list[Any], options: argparse.Namespace, shuffled: bool) -> dict[str, Any]:
    """Tokens a second of steps of transformers' Trainer, after those that warm up."""
    import torch
    from torch.utils.data import RandomSampler, SequentialSampler
    from transformers import Trainer, TrainerCallback, TrainingArguments

    def collate(batch: list[Any]) -> dict[str, Any]:
        def pad(name: str, filler: int) -> Any:
            parts = [torch.tensor(row[name]) for row in batch]
            return torch.nn.utils.rnn.pad_sequence(parts, batch_first=True, padding_value=filler)

        real = [torch.ones(len(row["input_ids"]), dtype=torch.int64) for row in batch]
        counted.append(sum(len(part) for part in real))
        mask = torch.nn.utils.rnn.pad_sequence(real, batch_first=True)
        ids = pad("input_ids", tokenizer.pad_token_id or tokenizer.eos_token_id)
        return {"input_ids": ids, "attention_mask": mask, "labels": pad("labels", -100)}

    class Steps(TrainerCallback):
        def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
            began.append(time.process_time())

        def on_step_end(self, *args: Any, **kwargs: Any) -> None:
            ended.append(time.process_time())

    class Ordered(Trainer):
        def _get_train_sampler(self, *args: Any, **kwargs: Any) -> Any:
            return RandomSampler(rows) if shuffled else SequentialSampler(rows)

    counted: list[int] = []
    began: list[float] = []
    ended: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=options.batch,
            num_train_epochs=1,
            learning_rate=RATE,
            report_to="none",
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
            remove_unused_columns=False,
            dataloader_pin_memory=False,
            seed=0,
        )
        trainer = Ordered(model=model, args=arguments, train_dataset=rows, data_collator=collate, callbacks=[Steps()])
        with contextlib.redirect_stdout(sys.stderr):
            loss = trainer.train().training_loss
    seconds = [end - begin for begin, end in zip(began, ended, strict=True)]
    rates = [tokens / spent for tokens, spent in zip(counted[WARM_UP:], seconds[WARM_UP:], strict=False)]
    return {"tokens_a_second": statistics.median(rates), "loss": loss, "steps": len(seconds)}


def decode(model: Any, material: dict[str, Any]) -> dict[str, float]:
    """Seconds of the first and of a later search."""
    import numpy as np
    import torch

    from genrec.decoding.beam import beam_search
    from genrec.decoding.device_trie import DeviceTrie
    from genrec.trie import Trie

    trie = DeviceTrie(Trie.from_codes(np.asarray(material["codes"], dtype=np.int32), tuple(material["sizes"])))
    prompts = {name: torch.tensor(value) for name, value in material["prompts"].items()}
    seconds = []
    with torch.inference_mode(), model.decoding():
        for _ in range(4):
            began = time.process_time()
            beam_search(model, model.prefill(**prompts), trie, USERS, beams=BEAMS)
            seconds.append(time.process_time() - began)
    return {"first_search": seconds[0], "search": statistics.median(seconds[1:])}


# -- the rounds --


def measured(way: str, file: Path, options: argparse.Namespace, given: list[str]) -> dict[str, Any]:
    """Figures of one way in a new process."""
    here = Path(__file__).resolve().parent.parent
    root = options.before if way.startswith("before") else here
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": str(options.threads)}
    environment |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    command = [sys.executable, __file__, *given, "--child", way, "--material", str(file)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{way}: {done.stderr[-3000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    print(way, {name: round(value, 3) for name, value in figures.items()}, file=sys.stderr, flush=True)
    return figures


def medians(rounds: list[dict[str, Any]]) -> dict[str, float]:
    """Median of every figure."""
    return {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}


def write(found: dict[str, dict[str, float]], options: argparse.Namespace) -> None:
    """Put the figures into scripts/results, beside those of ways that this run left out."""
    import platform

    from genrec.artifacts import write_atomic

    path = RESULTS / "llm-speed.json"
    rows = json.loads(path.read_text())["rows"] if path.is_file() else {}
    rows |= {
        way: {**one, "rounds": options.rounds, "batch": options.batch, "threads": options.threads}
        for way, one in found.items()
    }
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    command = "python scripts/bench_llm.py INDEX interactions.csv models/smollm2 --before CHECKOUT_OF_03d8e9b --write"
    about = {"commit": commit, "command": command, "machine": platform.processor() or platform.machine()}
    write_atomic(path, json.dumps({**about, "rows": {way: rows[way] for way in WAYS if way in rows}}, indent=1) + "\n")
    write_atomic(path.with_suffix(".md"), page(rows, command))


def page(rows: dict[str, dict[str, Any]], command: str) -> str:
    """The table as Markdown, with ratios against the build before."""
    first = rows.get("before", {})
    lines = [
        "# Training and decoding of a real language model",
        "",
        f"`{command}`",
        "",
        "| way | tokens a second | times the build before | memory | of the build before | decoding | times faster |"
        " first request / later |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for way, words in WAYS.items():
        if way not in rows:
            continue
        row = rows[way]
        cells = [words, f"{row['tokens_a_second']:.0f}"]
        cells.append(f"{row['tokens_a_second'] / first['tokens_a_second']:.2f}" if first else "")
        cells.append(f"{row['memory_gib']:.2f} GiB")
        cells.append(f"{row['memory_gib'] / first['memory_gib']:.2f}" if first else "")
        if "search" in row:
            faster = f"{first['search'] / row['search']:.2f}" if "search" in first else ""
            cells += [f"{row['search']:.2f} s", faster, f"{row['first_search'] / row['search']:.2f}"]
        else:
            cells += ["", "", ""]
        lines.append("| " + " | ".join(cells) + " |")
    some = next(iter(rows.values()))
    lines += [
        "",
        f"SmolLM2-135M, LoRA of rank 16 on all linear layers and the code rows, whole histories of Amazon Beauty, "
        f"batches of {some['batch']} rows, {some['threads']} thread of an AMD EPYC with avx512_bf16, CPU seconds, "
        f"medians of {some['rounds']} interleaved rounds on a machine that others use. Tokens are those of examples, "
        f"without padding. Decoding: {USERS} users of {HISTORY} items with {BEAMS} beams, the adapter not merged.",
        "",
    ]
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index")
    parser.add_argument("interactions")
    parser.add_argument("checkpoint")
    parser.add_argument("--before", type=Path, help="checkout of the build to compare with")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--material", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    options = arguments()
    if options.child:
        child(options.child, options.material, options)
        return
    given = [part for part in sys.argv[1:] if part != "--write"]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "material.json"
        file.write_text(json.dumps(prepare(options)))
        rounds: dict[str, list[dict[str, Any]]] = {way: [] for way in options.ways}
        for _ in range(options.rounds):
            for way in options.ways:
                rounds[way].append(measured(way, file, options, given))
    found = {way: medians(one) for way, one in rounds.items()}
    print(json.dumps(found, indent=1))
    if options.write:
        write(found, options)


if __name__ == "__main__":
    main()
