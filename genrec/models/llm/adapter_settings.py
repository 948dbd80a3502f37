"""Settings of an adapter that peft takes as they are: numbers without bounds, and ways to start that work for long."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from genrec.artifacts.failures import in_words
from genrec.artifacts.manifest import COPY_AGAIN
from genrec.errors import ArtifactError, GenRecError

_OTHER_SHAPE = re.compile(
    r"size mismatch for (?P<name>\S+): .*?Size\(\[(?P<there>[\d, ]*)\]\).*?Size\(\[(?P<wanted>[\d, ]*)\]\)", re.DOTALL
)
_MOST_ROUNDS = 1000
_ROUNDS = re.compile(r"pissa_niter_(\d{1,9})")
_NUMBER, _NEEDED = "a finite number", ("r", "lora_alpha")
_SWITCHES = ("use_rslora", "use_dora", "use_qalora", "fan_in_fan_out", "lora_bias", "inference_mode")


def check_adapter_settings(
    settings: Mapping[str, Any], longest: int, where: object, kind: type[GenRecError] = ArtifactError
) -> None:
    """Refuse values that are none, that take memory or time without end, or with which the adapter does nothing.

    Args:
        settings: Fields of peft's configuration.
        longest: The largest rank that there can be.
        where: For the message.
        kind: Of the error.

    Raises:
        GenRecError: Of that kind; names the field and what it can be.
    """
    ranks, switch = f"a whole number from 1 to {longest}", (_is_switch, "true or false")
    checks: dict[str, tuple[Callable[[Any], bool], str]] = {
        "r": (lambda value: _is_rank(value, longest), ranks),
        "lora_alpha": (_is_number, _NUMBER),
        "rank_pattern": (lambda value: _holds(value, lambda one: _is_rank(one, longest)), f"{ranks}, by layer"),
        "alpha_pattern": (lambda value: _holds(value, _is_number), f"{_NUMBER}, by layer"),
        "modules_to_save": (_is_list, "a list"),
        "layers_pattern": (lambda value: _is_list(value) or isinstance(value, str), "a list"),
        "trainable_token_indices": (lambda value: _holds(value, _is_list), "a list, by table"),
        "alora_invocation_tokens": (lambda value: not value, "none: the adapter would only work behind these tokens"),
        "init_lora_weights": (_is_quick, f"at most {_MOST_ROUNDS} rounds, pissa_niter_{_MOST_ROUNDS}"),
        **dict.fromkeys(_SWITCHES, switch),
    }
    for key, (is_sound, expected) in checks.items():
        value = settings.get(key)
        if (value is not None or (key in _NEEDED and key in settings)) and not is_sound(value):
            raise kind(f"This adapter has {key}: {str(value)[:80]}.", where=where, expected=expected)


def not_an_adapter(error: Exception, folder: Path, settings: str) -> ArtifactError:
    """What is said where peft cannot make an adapter of settings and weights.

    Args:
        error: Its error; one of the machine, such as memory that is full, is raised again.
        folder: Of the adapter.
        settings: Name of their file.
    """
    if found := _OTHER_SHAPE.search(str(error)):
        return ArtifactError(
            f"Settings and weights of this adapter do not belong together: {found['name']}.",
            where=folder,
            expected=f"weights of the shape [{found['wanted']}], as the settings say; these have [{found['there']}]",
            hint=COPY_AGAIN,
        )
    if isinstance(error, RuntimeError) and not isinstance(error, NotImplementedError):
        raise error
    what = f"The settings of this adapter cannot be used: {in_words(error).rstrip('.')}."
    return ArtifactError(
        what, where=folder / settings, expected="those with which its weights were trained", hint=COPY_AGAIN
    )


def _is_rank(value: object, longest: int) -> bool:
    return type(value) is int and 1 <= value <= longest


def _is_switch(value: object) -> bool:
    return type(value) is bool


def _is_quick(start: object) -> bool:
    if not isinstance(start, str) or not start.startswith("pissa_niter_"):
        return True
    rounds = _ROUNDS.fullmatch(start)
    return rounds is not None and 1 <= int(rounds[1]) <= _MOST_ROUNDS


def _holds(value: object, sound: Callable[[object], bool]) -> bool:
    return isinstance(value, Mapping) and all(isinstance(key, str) and sound(one) for key, one in value.items())


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
