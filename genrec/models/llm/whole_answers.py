"""All items of a history learned from one reading of the prompt by an encoder-decoder of transformers."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from genrec.models.beam_tree import additive
from genrec.models.hf.item_causal import item_order, read_prompts
from genrec.models.hf.vocabulary_head import T5_FAMILY
from genrec.models.hf.whole_rows import answer_logits, decoder_start
from genrec.models.t5.search import T5Search
from genrec.models.t5.whole import read_history, read_rows


class Answers(NamedTuple):
    """What is to be written after parts of prompts.

    Attributes:
        tokens: ``(n, m)`` int64 right tokens, padded with any token.
        rows: ``(n,)`` int64 prompt of every answer.
        limits: ``(n,)`` int64 how many items of the prompt an answer sees.
    """

    tokens: Tensor
    rows: Tensor
    limits: Tensor


def split_answers(labels: Tensor, order: Tensor, first_codes: Tensor, levels: int, ignore: int) -> tuple[Answers, ...]:
    """Labels of prompts as answers: one for every semantic ID, and one for every text.

    The semantic IDs of a row are its newest items: the last one is seen by nothing, the one before it stands last in
    the prompt, and so on.

    Args:
        labels: ``(rows, m)`` int64.
        order: ``(rows, n)`` of the prompts, see :func:`~genrec.models.hf.item_causal.item_order`.
        first_codes: Tokens of the first level's codes.
        levels: Tokens of a semantic ID.
        ignore: Label of what carries no loss.
    """
    newest = order.amax(1)
    items = torch.isin(labels[:, 0], first_codes.to(labels.device))
    rows = torch.arange(len(labels), device=labels.device)
    found = []
    if bool(items.any()):
        real = labels[items] != ignore
        each = real.sum(1) // levels
        of_row = rows[items].repeat_interleave(each)
        last = each.cumsum(0).repeat_interleave(each) - 1
        behind = last - torch.arange(len(of_row), device=labels.device)
        found.append(Answers(labels[items][real].view(-1, levels), of_row, newest[of_row] - behind))
    if not bool(items.all()):
        found.append(Answers(labels[~items], rows[~items], newest[~items]))
    return tuple(found)


def read_whole(
    base: Any, ids: Tensor, mask: Tensor, order: Tensor, answers: tuple[Answers, ...], *, logits: bool = False
) -> list[Tensor]:
    """States that predict answers, each ``(n, m, dim)``, after one reading of the prompts.

    Args:
        base: Model of transformers.
        ids: ``(rows, n)`` int64 prompts.
        mask: ``(rows, n)``, 1 at real tokens, padded on the right.
        order: See :func:`~genrec.models.hf.item_causal.item_order`.
        answers: From :func:`split_answers`.
        logits: Logits of the model's own forward instead, ``(n, m, vocabulary)``.
    """
    start = decoder_start(base)
    plain = base.config.model_type in T5_FAMILY and not logits and not _in_pieces(base)
    if plain:
        table, search = base.get_input_embeddings(), T5Search(base.encoder, base.decoder)
        memory = read_history(base.encoder, table(ids), search.bias(mask.bool(), order=order))
    else:
        memory = read_prompts(base, ids, mask, order)
    states = []
    for given in answers:
        known = torch.cat([torch.full_like(given.tokens[:, :1], start), given.tokens[:, :-1]], dim=1)
        if plain:
            states.append(_rows_of_t5(base, known, given, memory, order, mask))
            continue
        visible = (order[given.rows] <= given.limits[:, None]) & mask[given.rows].bool()
        visible, read = visible.to(mask.dtype), memory[given.rows]
        if logits:
            states.append(answer_logits(base, known, visible, read))
            continue
        seen = {"encoder_hidden_states": read, "encoder_attention_mask": visible}
        states.append(base.get_decoder()(input_ids=known, **seen, use_cache=False).last_hidden_state)
    return states


def _rows_of_t5(base: Any, known: Tensor, given: Answers, memory: Tensor, order: Tensor, mask: Tensor) -> Tensor:
    """The same with keys and values of a prompt projected once for all its answers."""
    answers, length = known.shape
    counts = torch.bincount(given.rows, minlength=len(memory))
    most = int(counts.max())
    nth = torch.arange(answers, device=known.device) - (counts.cumsum(0) - counts)[given.rows]
    grid = known.new_zeros(len(memory), most, length)
    grid[given.rows, nth] = known
    limits = order.amax(1, keepdim=True).repeat(1, most)  # what stands in no answer may see all
    limits[given.rows, nth] = given.limits
    visible = (order[:, None, :] <= limits[:, :, None]) & mask.bool()[:, None, :]
    visible = visible.repeat_interleave(length, dim=1)
    vectors = base.get_input_embeddings()(grid)
    return read_rows(base.decoder, vectors, memory, additive(visible, vectors.dtype))[given.rows, nth]


def order_of(ids: Tensor, code_token_ids: Any) -> Tensor:
    """See :func:`~genrec.models.hf.item_causal.item_order`, from the tokens of all levels."""
    return item_order(ids, torch.as_tensor(code_token_ids[0]))


def _in_pieces(base: Any) -> bool:
    """Whether weights are spread over processes, so that only whole blocks may be called."""
    weight = base.get_input_embeddings().weight
    return bool(weight.numel() == 0) or type(weight.data) is not Tensor
