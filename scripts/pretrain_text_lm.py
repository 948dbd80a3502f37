"""Pretrain a small decoder and a small T5 on the text of catalogues, with a tokenizer of their own.

    python scripts/pretrain_text_lm.py DATA_FOLDER --out runs/text-lm
    python scripts/pretrain_text_lm.py DATA_FOLDER --out runs/text-lm --small --minutes 8 --models decoder

Reads items.jsonl of every folder in DATA_FOLDER and nothing else: no interaction is seen. Saves ordinary Hugging Face
folders OUT/decoder and OUT/t5, each with results.json: loss and perplexity on items that were held out. The same
command again continues a stopped run.

The decoder predicts the next token. The T5 mixes two objectives: filling in masked spans (https://arxiv.org/abs/1910.10683)
and continuing a cut text (https://arxiv.org/abs/2205.05131), which gives a loss at many more positions of a short text.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

from genrec.artifacts import write_atomic
from genrec.data.catalog import Catalog
from genrec.encoders.text import TextTemplate

PAD, END, START, STOP = "<pad>", "</s>", "<|im_start|>", "<|im_end|>"
SENTINELS = [f"<extra_id_{n}>" for n in range(100)]
CHAT = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
HELD_OUT, IGNORE, NOISE, SPAN = 0.02, -100, 0.15, 3.0


@dataclass(frozen=True)
class Size:
    """What one size of model and run is."""

    vocabulary: int
    hidden: int
    layers: int
    tokens: int
    batch: int
    steps: int
    rate: float


NORMAL = Size(vocabulary=16_384, hidden=512, layers=8, tokens=512, batch=32, steps=5000, rate=6e-4)
SMALL = Size(vocabulary=8_192, hidden=256, layers=4, tokens=256, batch=2, steps=20_000, rate=1.5e-3)


def read_texts(folder: Path, seed: int) -> tuple[list[str], list[str]]:
    """Distinct texts of all catalogues in ``folder``, as training and held-out texts."""
    texts: dict[str, None] = {}
    for path in sorted(folder.glob("*/items.jsonl")):
        rendered = TextTemplate().render(Catalog.read(path))
        texts.update(dict.fromkeys(text for text in rendered if text))
        print(
            f"{path.parent.name}: {len(rendered):,} items, {sum(map(len, rendered)) / 1e6:.1f} M characters", flush=True
        )
    if not texts:
        sys.exit(f"No items.jsonl with text in the folders of {folder}.")
    order = np.random.default_rng(seed).permutation(len(texts))
    cut = max(1, round(HELD_OUT * len(texts)))
    every = list(texts)
    return [every[n] for n in order[cut:]], [every[n] for n in order[:cut]]


def make_tokenizer(texts: list[str], vocabulary: int, kind: str) -> PreTrainedTokenizerFast:
    """A byte-level BPE trained on the texts; decoders get chat tokens, T5 gets its sentinels and ends every text."""
    special = [PAD, END, *(SENTINELS if kind == "t5" else [START, STOP])]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=special, initial_alphabet=sorted(alphabet), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    if kind == "t5":
        tokenizer.post_processor = processors.TemplateProcessing(single=f"$A {END}", special_tokens=[(END, 1)])
    more = SENTINELS if kind == "t5" else [START, STOP]
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, additional_special_tokens=more
    )
    if kind == "decoder":
        fast.chat_template = CHAT
    return fast


def pack(tokenizer: PreTrainedTokenizerFast, texts: list[str], tokens: int) -> np.ndarray:
    """Texts end to end, cut into rows: ``(n_rows, tokens)`` int64; the rest of the last row is left out."""
    rows = tokenizer(texts, add_special_tokens=False)["input_ids"]
    end = tokenizer.eos_token_id
    flat = np.fromiter((token for row in rows for token in (*row, end)), dtype=np.int64)
    tokens = min(tokens, len(flat))
    return flat[: len(flat) // tokens * tokens].reshape(-1, tokens)


def make_model(kind: str, family: str, tokenizer: PreTrainedTokenizerFast, size: Size) -> torch.nn.Module:
    """The network with random weights."""
    heads, ids = size.hidden // 64, {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}
    if kind == "t5":
        config = T5Config(
            vocab_size=len(tokenizer),
            d_model=size.hidden,
            d_kv=64,
            d_ff=size.hidden * 2,
            num_layers=size.layers,
            num_heads=heads,
            feed_forward_proj="gated-gelu",
            dropout_rate=0.0,
            decoder_start_token_id=tokenizer.pad_token_id,
            tie_word_embeddings=True,
            **ids,
        )
        return T5ForConditionalGeneration(config)
    config_class, model_class = {"qwen3": (Qwen3Config, Qwen3ForCausalLM), "llama": (LlamaConfig, LlamaForCausalLM)}[
        family
    ]
    return model_class(
        config_class(
            vocab_size=len(tokenizer),
            hidden_size=size.hidden,
            intermediate_size=size.hidden * 3,
            num_hidden_layers=size.layers,
            num_attention_heads=heads,
            num_key_value_heads=heads,
            head_dim=64,
            max_position_embeddings=2048,
            tie_word_embeddings=True,
            bos_token_id=None,
            **ids,
        )
    )


def causal_batch(rows: np.ndarray) -> dict[str, torch.Tensor]:
    """Rows that predict themselves."""
    tokens = torch.from_numpy(rows)
    return {"input_ids": tokens, "labels": tokens}


def seq2seq_batch(
    rows: np.ndarray, tokenizer: PreTrainedTokenizerFast, rng: np.random.Generator
) -> dict[str, torch.Tensor]:
    """Half of the rows with masked spans, half cut into a beginning and its continuation."""
    first = int(tokenizer.convert_tokens_to_ids(SENTINELS[0]))
    pairs = [
        _masked(row, first, rng) if n % 2 else _cut(row, rng) for n, row in enumerate(rows)
    ]  # each (source, target)
    end = [tokenizer.eos_token_id]
    sources, targets = ([np.r_[part[side], end] for part in pairs] for side in (0, 1))
    source, target = _pad(sources, tokenizer.pad_token_id), _pad(targets, IGNORE)
    return {"input_ids": source, "attention_mask": (source != tokenizer.pad_token_id).long(), "labels": target}


def _masked(row: np.ndarray, first: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    noise = max(1, round(NOISE * len(row)))
    spans = min(max(1, round(noise / SPAN)), len(SENTINELS) - 1)
    hidden, kept = _pieces(noise, spans, rng), _pieces(len(row) - noise, spans, rng)
    borders = np.cumsum(np.stack([kept, hidden], 1).ravel())[:-1]
    parts = np.split(row, borders)
    sentinels = first + np.arange(spans + 1)
    source = np.concatenate([np.r_[parts[2 * n], sentinels[n]] for n in range(spans)])
    target = np.concatenate([np.r_[sentinels[n], parts[2 * n + 1]] for n in range(spans)])
    return source, np.r_[target, sentinels[spans]]


def _pieces(total: int, pieces: int, rng: np.random.Generator) -> np.ndarray:
    """Random lengths of at least 1 that sum to ``total``, ``(pieces,)``."""
    cuts = np.sort(rng.choice(total - 1, pieces - 1, replace=False)) + 1
    return np.diff(np.r_[0, cuts, total])


def _cut(row: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    at = int(rng.integers(len(row) // 4, 3 * len(row) // 4))
    return row[:at], row[at:]


def _pad(rows: list[np.ndarray], value: int) -> torch.Tensor:
    result = np.full((len(rows), max(map(len, rows))), value, dtype=np.int64)
    for n, row in enumerate(rows):
        result[n, : len(row)] = row
    return torch.from_numpy(result)


def batches(
    rows: np.ndarray, kind: str, tokenizer: PreTrainedTokenizerFast, batch: int, seed: int, start: int = 0
) -> Iterator[dict[str, torch.Tensor]]:
    """Endless batches, a function of (seed, step) alone."""
    batch = min(batch, len(rows))
    each = len(rows) // batch
    step = start
    while True:
        epoch, at = divmod(step, each)
        order = np.random.default_rng([seed, epoch]).permutation(len(rows))[at * batch : (at + 1) * batch]
        rng = np.random.default_rng([seed, epoch, at])
        yield seq2seq_batch(rows[order], tokenizer, rng) if kind == "t5" else causal_batch(rows[order])
        step += 1


@torch.no_grad()
def evaluate(
    model: Any, rows: np.ndarray, kind: str, tokenizer: PreTrainedTokenizerFast, batch: int
) -> dict[str, float]:
    """Mean loss of a target token (nats) on held-out rows, and its perplexity; the same masks in every call."""
    model.eval()
    total = count = 0.0
    rng = np.random.default_rng(0)
    for at in range(0, len(rows), batch):
        part = rows[at : at + batch]
        inputs = seq2seq_batch(part, tokenizer, rng) if kind == "t5" else causal_batch(part)
        inputs = {name: tensor.to(model.device) for name, tensor in inputs.items()}
        labels = inputs["labels"] if kind == "t5" else inputs["labels"][:, 1:]
        here = int((labels != IGNORE).sum())
        total, count = total + float(model(**inputs).loss) * here, count + here
    model.train()
    return {"loss": total / count, "perplexity": math.exp(total / count)}


class Run:
    """One model in training: what is saved, when it stops, and how the learning rate moves.

    Args:
        folder: Where the model goes; ``folder/training.pt`` holds an unfinished run.
        size: Steps, batch and rate.
        seconds: Most processor time of this run over all its parts, or None. The rate then falls with time, not steps.
        seed: Of weights and batches.
    """

    def __init__(self, folder: Path, size: Size, seconds: float | None, seed: int) -> None:
        self.folder, self.size, self.seconds, self.seed = folder, size, seconds, seed
        self.save_every = 120.0
        self.step, self.before, self.began = 0, 0.0, time.process_time()

    @property
    def elapsed(self) -> float:
        """Processor seconds of training, those of earlier parts included."""
        return self.before + time.process_time() - self.began

    @property
    def progress(self) -> float:
        """0 at the start, 1 at the end."""
        share = self.step / self.size.steps
        return min(1.0, max(share, self.elapsed / self.seconds) if self.seconds else share)

    def rate(self) -> float:
        """Warm-up over 50 steps, then a cosine down to a twentieth."""
        warm = min(1.0, (self.step + 1) / 50)
        return self.size.rate * warm * (0.05 + 0.95 * (1 + math.cos(math.pi * self.progress)) / 2)

    def fit(self, model: Any, tokenizer: PreTrainedTokenizerFast, rows: np.ndarray, kind: str) -> None:
        """Train to the end, saving every two minutes."""
        optimizer = torch.optim.AdamW(
            model.parameters(), lr=self.size.rate, betas=(0.9, 0.98), weight_decay=0.05, fused=True
        )
        self._restore(model, optimizer)
        half = model.device.type == "cuda"
        saved = shown = time.monotonic()
        losses: list[float] = []
        for inputs in batches(rows, kind, tokenizer, self.size.batch, self.seed, self.step):
            if self.progress >= 1:
                break
            for group in optimizer.param_groups:
                group["lr"] = self.rate()
            inputs = {name: tensor.to(model.device) for name, tensor in inputs.items()}
            with torch.autocast(model.device.type, torch.bfloat16, enabled=half):
                loss = model(**inputs).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
            self.step += 1
            if time.monotonic() - shown > 15:
                print(
                    f"{kind}: step {self.step}, {self.progress:.0%}, {self.elapsed:.0f} s, "
                    f"loss {np.mean(losses):.3f}, {self.step / self.elapsed:.1f} steps/s",
                    flush=True,
                )
                losses, shown = [], time.monotonic()
            if time.monotonic() - saved > self.save_every:
                self._save(model, tokenizer, optimizer)
                saved = time.monotonic()
        self._save(model, tokenizer, None)

    def _restore(self, model: Any, optimizer: torch.optim.Optimizer) -> None:
        path = self.folder / "training.pt"
        if path.is_file():
            state = torch.load(path, weights_only=True, map_location=model.device)
            model.load_state_dict(state["model"])
            optimizer.load_state_dict(state["optimizer"])
            self.step, self.before = state["step"], state["seconds"]
            print(f"{self.folder}: continues at step {self.step}", flush=True)
        self.began = time.process_time()

    def _save(self, model: Any, tokenizer: PreTrainedTokenizerFast, optimizer: torch.optim.Optimizer | None) -> None:
        model.save_pretrained(self.folder)
        tokenizer.save_pretrained(self.folder)
        path = self.folder / "training.pt"
        if optimizer is None:
            path.unlink(missing_ok=True)
            return
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        part = path.with_suffix(".part")  # renamed when it is whole
        torch.save({**state, "step": self.step, "seconds": self.elapsed}, part)
        part.replace(path)


def pretrain(kind: str, texts: tuple[list[str], list[str]], arguments: argparse.Namespace, size: Size) -> None:
    """Make one model, or finish it."""
    folder = arguments.out / kind
    if (folder / "results.json").is_file():
        print(f"{folder} is already there.")
        return
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(arguments.seed)
    tokenizer = make_tokenizer(texts[0], size.vocabulary, kind)
    train, held = (pack(tokenizer, part, size.tokens) for part in texts)
    model: Any = make_model(kind, arguments.family, tokenizer, size).to(arguments.device)
    parameters = sum(weights.numel() for weights in model.parameters())
    print(f"{kind}: {parameters / 1e6:.1f} M parameters, {train.size / 1e6:.2f} M training tokens", flush=True)
    run = Run(folder, size, arguments.minutes * 60 if arguments.minutes else None, arguments.seed)
    run.fit(model, tokenizer, train, kind)
    characters = sum(map(len, texts[1])) / held.size
    results = {
        "model": kind,
        "parameters": parameters,
        "steps": run.step,
        "cpu_seconds": round(run.elapsed, 1),
        "tokens_seen": run.step * size.batch * size.tokens,
        "training_tokens": int(train.size),
        "held_out_tokens": int(held.size),
        "characters_per_token": round(characters, 2),
        **{f"held_out_{name}": value for name, value in evaluate(model, held, kind, tokenizer, size.batch).items()},
        "size": vars(size),
        "seed": arguments.seed,
        "command": "python scripts/pretrain_text_lm.py DATA_FOLDER " + " ".join(sys.argv[2:]),
    }
    write_atomic(folder / "results.json", json.dumps(results, indent=2) + "\n")
    print(json.dumps(results), flush=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder whose folders hold items.jsonl")
    parser.add_argument("--out", type=Path, default=Path("runs/text-lm"))
    parser.add_argument("--models", nargs="+", choices=["decoder", "t5"], default=["decoder", "t5"])
    parser.add_argument("--family", choices=["qwen3", "llama"], default="qwen3", help="of the decoder")
    parser.add_argument("--small", action="store_true", help="for a CPU: about 5 M parameters")
    parser.add_argument("--minutes", type=float, help="most processor time of each model")
    for name, meaning in (
        ("vocabulary", "tokens of the BPE"),
        ("hidden", "width, a multiple of 64"),
        ("layers", "blocks (each side of a T5)"),
        ("tokens", "of a row"),
        ("batch", "rows"),
        ("steps", "at most"),
    ):
        parser.add_argument(f"--{name}", type=int, help=meaning)
    parser.add_argument("--rate", type=float, help="learning rate")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    base = vars(SMALL if arguments.small else NORMAL)
    size = Size(**{name: getattr(arguments, name) or value for name, value in base.items()})
    texts = read_texts(arguments.data, arguments.seed)
    for kind in arguments.models:
        pretrain(kind, texts, arguments, size)


if __name__ == "__main__":
    main()
