"""Ways to decode a language model, the fastest first, and which of them a model takes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from genrec.errors import ModelError
from genrec.models.hf.beam_rows import HFRowsPredictor
from genrec.models.hf.causal import HFCausalPredictor
from genrec.models.hf.equal_lengths import EqualLengths
from genrec.models.hf.seq2seq import HFSeq2SeqPredictor
from genrec.models.hf.vocabulary_head import CodeTokenIds
from genrec.models.hf.whole_rows import HFWholePredictor

logger = logging.getLogger(__name__)

WAYS: Sequence[str] = ("shared", "rows", "rows-apart", "whole")
"""``shared``: beams of a user in one sequence; ``rows``: one row a beam, with a cache; ``rows-apart``: the same, with
prompts of one length together; ``whole``: everything is read anew at each level."""


def make_predictor(way: str | None, lm: Any, code_token_ids: CodeTokenIds, *, item_causal: bool = False) -> Any:
    """A predictor.

    Args:
        way: One of :data:`WAYS`; None takes ``shared`` where the family allows it, else ``rows``.
        lm: Model of transformers, or a PEFT model around one, in evaluation mode.
        code_token_ids: Per level the token ids of all codes.
        item_causal: See :class:`~genrec.models.hf.base.HFPredictor`; of encoder-decoders.

    Raises:
        ModelError: The family cannot be decoded this way.
    """
    if way is None:
        try:
            return make_predictor("shared", lm, code_token_ids, item_causal=item_causal)
        except ModelError as refusal:
            logger.info("Decoding with one row a beam: %s", refusal.what)
            return HFRowsPredictor(lm, code_token_ids, item_causal=item_causal)
    if way == "shared":
        kind = HFSeq2SeqPredictor if lm.config.is_encoder_decoder else HFCausalPredictor
        return kind(lm, code_token_ids, item_causal=item_causal)
    if way == "whole":
        return HFWholePredictor(lm, code_token_ids, item_causal=item_causal)
    rows = HFRowsPredictor(lm, code_token_ids, item_causal=item_causal)
    return EqualLengths(rows) if way == "rows-apart" else rows
