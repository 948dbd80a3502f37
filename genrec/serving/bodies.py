"""What is wrong with a body before anything reads it: packed, no JSON, or a key twice in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from genrec.data.repeated_keys import RepeatedKeyError, once
from genrec.serving.answering import is_json

_SHOWN = 200
_PLAIN = ("", "identity")


class BodyFault(NamedTuple):
    """Why a body is refused: the status, a word for programs, a sentence, and the place."""

    status: int
    kind: str
    message: str
    place: tuple[str, ...]


def fault_of(headers: Sequence[tuple[bytes, bytes]], body: bytes) -> BodyFault | None:
    """Why a body cannot be read; None: whoever reads it says what else is wrong.

    Args:
        headers: Of the request, names in small letters.
        body: The whole of it.
    """
    named = {name: value.decode("latin-1").strip() for name, value in headers}
    packed = named.get(b"content-encoding", "").lower()
    if packed not in _PLAIN:
        message = f"A body is not unpacked ({packed[:_SHOWN]}): send it as it is, without this header."
        return BodyFault(415, "content_encoding", message, ("header", "content-encoding"))
    if not body or not is_json(named.get(b"content-type")):
        return None
    try:
        json.loads(body, object_pairs_hook=once)
    except RepeatedKeyError as error:
        key = error.key[:_SHOWN]
        return BodyFault(422, "repeated_key", f"The key {key!r} stands twice in one object.", ("body", key))
    except json.JSONDecodeError:
        return None
    except UnicodeDecodeError:
        return BodyFault(400, "no_text", "The body is no text in UTF-8.", ("body",))
    except RecursionError:
        return BodyFault(400, "too_deep", "The body is nested too deep.", ("body",))
    except ValueError:  # Python refuses thousands of digits
        return BodyFault(400, "too_long", "A number in the body is too long.", ("body",))
    return None
