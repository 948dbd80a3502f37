"""Prompts in the chat template of a tokenizer, which came with the checkpoint and may refuse what it is given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from genrec.errors import ModelError
from genrec.templates import bounded, refuse_large_numbers, require_short

_HINT = "Leave prompts.chat off, or prompts.system out, or give the tokenizer another chat template."


def require_chat(tokenizer: Any) -> None:
    """Make sure that a tokenizer can chat.

    Raises:
        ModelError: It has no chat template.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise ModelError(
            "The tokenizer has no chat template.",
            where=_name(tokenizer),
            hint="Leave 'chat' off, use a chat model, or set tokenizer.chat_template.",
        )


def in_chat(tokenizer: Any, body: str, system: str | None = None) -> str:
    """A prompt as the user's turn, up to where the answer begins.

    Args:
        tokenizer: Has a chat template.
        body: What the user says.
        system: What the system says before; None: nothing.

    Raises:
        ModelError: The template refuses it, is broken, has no end in sight, or leaves the user's words out.
    """
    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": body})
    with rendering(tokenizer):
        text: str = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        require_short(text)
    if body.strip() not in text:
        raise ModelError(
            "The chat template of the tokenizer leaves out or changes what the user says.",
            where=_name(tokenizer),
            expected="a template that prints the content of messages of the role 'user'",
            hint=_HINT,
        )
    return text


@contextmanager
def rendering(tokenizer: Any) -> Iterator[None]:
    """Around what renders the chat template of a tokenizer: it ends, or there is one error.

    Raises:
        ModelError: The template refuses what it is given, is broken, or has no end in sight.
    """
    try:
        for template in _templates(tokenizer):
            refuse_large_numbers(template)
        with bounded():
            yield
    except Exception as error:  # a template is a program of somebody else: it may end in anything
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        what = f"The chat template of the tokenizer cannot be used: {reason.rstrip('.')}."
        raise ModelError(what, where=_name(tokenizer), hint=_HINT) from None


def _templates(tokenizer: Any) -> list[str]:
    """The chat templates of a tokenizer: none, one, or several by name."""
    found = getattr(tokenizer, "chat_template", None)
    return [one for one in (found.values() if isinstance(found, dict) else [found]) if isinstance(one, str)]


def _name(tokenizer: Any) -> str:
    return getattr(tokenizer, "name_or_path", None) or type(tokenizer).__name__
