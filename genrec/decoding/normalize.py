"""What the probability of a code is a share of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from genrec.models.packed_products import log_sum_exp
from genrec.models.predictor import StepOutput

Normalize = Literal["vocabulary", "codes", "children"]
"""What a code's probability is over.

``vocabulary``: everything the model could say there. This is what a language model was trained for, and the score that
Hugging Face's constrained beam search gives. Code models (:class:`genrec.models.CodeModel`) know one vocabulary per
level, so for them it is the same as ``codes``; for a language model with a large vocabulary it costs a pass over the
whole output layer.

``codes``: all codes of the level, in the catalogue or not. Differs from ``vocabulary`` by the mass that a language
model puts on other tokens, which a well-trained one does not do.

``children``: the codes that are legal after this prefix, for this user. The probabilities of all allowed items then sum
to one; a code without siblings is free, so long single-child tails cost nothing.
"""


def unpack(output: Tensor | StepOutput) -> tuple[Tensor, Callable[[], Tensor] | None]:
    """Float32 logits ``(users, beams, codebook_size)``, and what gives the vocabulary's normaliser where it differs."""
    if isinstance(output, StepOutput):
        return as_float(output.logits), output.log_normalizer
    return as_float(output), None


def as_float(numbers: Tensor) -> Tensor:
    """In float32; a call that changes nothing would still take microseconds."""
    return numbers if numbers.dtype == torch.float32 else numbers.float()


def log_normalizer(
    logits: Tensor, vocabulary: Callable[[], Tensor] | None, normalize: Normalize, legal: Tensor | None = None
) -> Tensor:
    """What is to be taken from logits, ``(users, beams)``.

    Args:
        logits: ``(users, beams, codebook_size)``.
        vocabulary: From :func:`unpack`.
        normalize: See :data:`Normalize`.
        legal: ``(users, beams, n)`` logits of the legal children, -inf elsewhere; read for ``children``.
    """
    if normalize == "children" and legal is not None:
        total = legal.logsumexp(dim=2)
        return total.masked_fill(total == -torch.inf, 0)  # a beam that is no more
    if normalize == "vocabulary" and vocabulary is not None:
        return as_float(vocabulary())
    return log_sum_exp(logits)
