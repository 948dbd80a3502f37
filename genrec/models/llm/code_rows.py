"""Code tokens in a language model's vocabulary: where their rows start from."""

from __future__ import annotations

import copy
import inspect
import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from genrec.errors import ModelError
from genrec.models.llm.code_tokens import CodeTokens
from genrec.models.llm.source import part_bias
from genrec.wording import count

logger = logging.getLogger(__name__)

_VOCABULARIES = ("vocab_size", "decoder_vocab_size", "encoder_vocab_size", "padded_vocab_size")
_NOT_OF_TEXT = ("vision", "audio", "image", "vq")


@dataclass(frozen=True)
class RowStart:
    """What new rows start from.

    Attributes:
        codebooks: Per level ``(codebook_size, any_dim)``, or None for a level without.
        texts: One text an item.
        codes: ``(n_items, n_levels)`` codes of the same items.
        code_texts: Per level one text a code, ``""`` for none.
        seed: Of what is random.
    """

    codebooks: Sequence[np.ndarray | None] | None = None
    texts: Sequence[str] | None = None
    codes: np.ndarray | None = None
    code_texts: Sequence[Sequence[str]] | None = None
    seed: int = 0


def add_code_rows(model: Any, tokenizer: Any, tokens: CodeTokens, start: RowStart | None) -> None:
    """Give a model and its tokenizer a token per (level, code).

    A vocabulary that is padded beyond the tokenizer's tokens is used up before it grows.

    Args:
        model: Of transformers, changed in place.
        tokenizer: Its tokenizer, changed in place.
        tokens: The code tokens; they know their ids afterwards.
        start: What the rows start from: codebooks, else texts of codes or of items, else random rows with the table's
            mean and spread. None leaves them as they come, for weights that are loaded afterwards.
    """
    tokens.add_to(tokenizer)
    if len(tokenizer) > _rows(model):
        _grow(model, len(tokenizer))
        if start is not None and getattr(model, "hf_quantizer", None) is None:
            check_loadable(model)
    if start is None:
        return
    for table in token_tables(model).values():
        means = _known_rows(table.weight, tokenizer, tokens, start)
        _fill(table.weight, tokens, start, means)


def token_tables(model: Any) -> dict[str, Any]:
    """Layers with a row for every token, each weight once: ``input``, maybe ``decoder``, ``output``."""
    found = {"input": model.get_input_embeddings(), "output": model.get_output_embeddings()}
    if model.config.is_encoder_decoder and found["output"] is not None:
        found = {"input": found["input"], "decoder": _decoder_table(model), "output": found["output"]}
    seen: set[int] = set()
    unique = {}
    for name, table in found.items():
        if table is not None and id(table.weight) not in seen:
            seen.add(id(table.weight))
            unique[name] = table
    return unique


def part_head_and_decoder(model: Any) -> None:
    """Give the output layer a weight of its own where the decoder's input table, not the model's, is tied to it.

    Adapters train rows of layers, and two layers with one weight would each learn rows of their own for it.
    """
    head = model.get_output_embeddings()
    if head is None or not model.config.is_encoder_decoder or head.weight is model.get_input_embeddings().weight:
        return
    decoder = _decoder_table(model)
    if decoder is not None and decoder.weight is head.weight:
        head.weight = nn.Parameter(head.weight.detach().clone())
        part_bias(head)
        for config in configs_of(model.config):
            if getattr(config, "tie_word_embeddings", False):
                config.tie_word_embeddings = False


def part_output(model: Any) -> bool:
    """Give the output layer of a decoder a weight of its own, so that what it says of a token is free of what it reads.

    Returns:
        Whether it has one now. Only an output layer that is the input table and nothing more gets one.
    """
    head = model.get_output_embeddings()
    if model.config.is_encoder_decoder or type(head) is not nn.Linear or head.bias is not None:
        return False
    if namesakes(model, head):
        return False
    if head.weight is model.get_input_embeddings().weight:
        head.weight = nn.Parameter(head.weight.detach().clone(), requires_grad=head.weight.requires_grad)
        for config in configs_of(model.config):
            if getattr(config, "tie_word_embeddings", False):
                config.tie_word_embeddings = False
    return True


def namesakes(model: Any, layer: Any) -> list[str]:
    """Names of other layers that peft would take for one: it looks at the ends of names alone."""
    named = dict(model.named_modules())
    own = next(name for name, module in named.items() if module is layer)
    return [name for name in named if name.endswith(f".{own}")]


def _decoder_table(model: Any) -> Any:
    try:
        return model.get_decoder().get_input_embeddings()
    except (AttributeError, NotImplementedError):
        return None


def _rows(model: Any) -> int:
    """Tokens that all tables have a row for."""
    return min(int(table.weight.shape[0]) for table in token_tables(model).values())


def _grow(model: Any, size: int) -> None:
    """Give a vocabulary ``size`` rows, in all tables and in every part of the configuration that counts them."""
    before = int(model.get_input_embeddings().weight.shape[0])
    try:
        for part in _with_tables(model):
            known = inspect.signature(part.resize_token_embeddings).parameters
            part.resize_token_embeddings(size, **({"mean_resizing": False} if "mean_resizing" in known else {}))
    except Exception as error:  # families with a vocabulary of another make refuse it in ways of their own
        raise _no_new_tokens(model, f"{type(error).__name__}: {error}") from None
    with torch.no_grad():
        for table in token_tables(model).values():
            # A tokenizer may know tokens that its checkpoint has no row for: they get the same one in every process.
            table.weight[before:] = table.weight[:before].float().mean(0).to(table.weight)
    if _rows(model) < size:
        raise _no_new_tokens(model, f"after it grew it has {count(_rows(model), 'row')}, not {size}.")
    for config in configs_of(model.config):
        for name in _VOCABULARIES:
            if getattr(config, name, None) == before:
                setattr(config, name, size)


def _with_tables(model: Any) -> Sequence[Any]:
    """The networks whose vocabularies grow: one, or both where an encoder and a decoder were put together."""
    return (model.encoder, model.decoder) if model.config.model_type == "encoder-decoder" else (model,)


def configs_of(config: Any) -> Iterator[Any]:
    """A configuration and those inside it, but for what is seen or heard."""
    from transformers import PreTrainedConfig

    yield config
    for name, part in vars(config).items():
        if isinstance(part, PreTrainedConfig) and not any(word in name for word in _NOT_OF_TEXT):
            yield from configs_of(part)


def check_loadable(model: Any) -> None:
    """Make sure that a model like this could be loaded again once it is saved.

    Raises:
        ModelError: Its configuration gives other shapes than it has.
    """
    config = copy.deepcopy(model.config)
    config._attn_implementation = model.config._attn_implementation
    try:
        with torch.device("meta"):
            again = type(model)(config)
    except Exception as error:  # code of a checkpoint may need more than its configuration
        logger.debug("%s is not built without weights: %s", type(model).__name__, error)
        return
    shapes = {name: tuple(value.shape) for name, value in again.named_parameters()}
    for name, value in model.named_parameters():
        if shapes.get(name, tuple(value.shape)) != tuple(value.shape):
            raise _no_new_tokens(model, f"its configuration still says {shapes[name]} of {name}.")


def _no_new_tokens(model: Any, reason: str) -> ModelError:
    return ModelError(
        f"The vocabulary of {type(model).__name__} does not take new tokens: {reason}",
        where="model.checkpoint",
        hint="Use a checkpoint of another family.",
    )


@torch.no_grad()
def _fill(table: Tensor, tokens: CodeTokens, start: RowStart, means: list[Tensor] | None) -> None:
    """Write the rows of code tokens into one table ``(vocabulary, dim)``."""
    ids = torch.from_numpy(tokens.all_ids)
    old = torch.ones(len(table), dtype=torch.bool)
    old[ids] = False
    words = table[old.to(table.device)].float().cpu()
    mean, spread = words.mean(0), float((words - words.mean(0)).std())
    generator = torch.Generator().manual_seed(start.seed)
    for level, level_ids in enumerate(tokens.ids):
        rows = torch.randn(len(level_ids), table.shape[1], generator=generator)
        if means is not None:
            rows = _standard(means[level], rows)
        elif start.codebooks is not None and start.codebooks[level] is not None:
            rows = _standard(_project(start.codebooks[level], table.shape[1], start.seed), rows)
        table[torch.from_numpy(level_ids).to(table.device)] = (mean + spread * rows).to(table)


def _project(codebook: np.ndarray | None, dim: int, seed: int) -> Tensor:
    """A random projection that keeps a codebook's geometry; levels of the same dimension share it."""
    vectors = torch.from_numpy(np.asarray(codebook, dtype=np.float32))
    generator = torch.Generator().manual_seed(seed)
    return vectors @ torch.randn(vectors.shape[1], dim, generator=generator) / math.sqrt(vectors.shape[1])


def _standard(rows: Tensor, random: Tensor) -> Tensor:
    """Rows centred and with unit spread; rows without a value, or beyond the end, are random."""
    known = rows.isfinite().all(1)
    centred = rows - rows[known].mean(0)
    spread = float(centred[known].std()) if int(known.sum()) > 1 else 0.0
    result = random.clone()
    if spread > 0:
        places = known.nonzero()[:, 0]
        result[places] = centred[places] / spread
    return result


def _known_rows(table: Tensor, tokenizer: Any, tokens: CodeTokens, start: RowStart) -> list[Tensor] | None:
    """Per level ``(at most codebook_size, dim)`` rows from texts, NaN where there is none; None without texts."""
    if start.code_texts is not None:
        return [_mean_rows(table, tokenizer, tokens, texts) for texts in start.code_texts]
    if start.texts is None:
        return None
    items, codes, result = _mean_rows(table, tokenizer, tokens, start.texts), np.asarray(start.codes), []
    told = items.isfinite().all(1)
    for level in range(codes.shape[1]):
        column = torch.from_numpy(codes[:, level].astype(np.int64))[told]
        size = int(codes[:, level].max()) + 1
        sums = torch.zeros(size, items.shape[1]).index_add_(0, column, items[told])
        result.append(sums / torch.bincount(column, minlength=size)[:, None])
    return result


def _mean_rows(table: Tensor, tokenizer: Any, tokens: CodeTokens, texts: Sequence[str]) -> Tensor:
    """Mean of the rows of every text's tokens, ``(n, dim)``; NaN of a text without any."""
    no_words = {*tokens.all_ids.tolist(), *tokenizer.all_special_ids}  # also where a text spells one
    read = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    encoded = [[token for token in ids if token not in no_words] for ids in read]
    lengths = torch.tensor([len(ids) for ids in encoded])
    flat = torch.tensor([token for ids in encoded for token in ids], dtype=torch.int64)
    offsets, weight = lengths.cumsum(0) - lengths, table.detach().float().cpu()
    return torch.nn.functional.embedding_bag(flat, weight, offsets, mode="sum") / lengths[:, None]
