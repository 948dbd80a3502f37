"""The page as HTML: one file with everything in it, or the frame of a service with script and style beside it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

_ASSETS = Path(__file__).resolve().parent / "assets"
_IN_SCRIPTS = re.compile("[<>&\u2028\u2029]")

SERVED_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
"""What a browser may load for the page of a service: its own script, style and answers, nothing else."""


@cache
def asset(name: str) -> str:
    """Text of ``page.html``, ``page.css`` or ``page.js``."""
    return (_ASSETS / name).read_text(encoding="utf-8")


def embedded(content: Any) -> str:
    r"""JSON that nothing in it can end: safe inside a ``script`` element, and the same to whoever parses it.

    >>> embedded({"title": "</script><b>"})
    '{"title":"\\u003c/script\\u003e\\u003cb\\u003e"}'
    """
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    text = _IN_SCRIPTS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    return text.encode("utf-8", "replace").decode("utf-8")  # halves of surrogate pairs are no text


def whole_page(content: Mapping[str, Any]) -> str:
    """One HTML file that holds all it shows and loads nothing; its policy allows its own script and style alone.

    Args:
        content: Of :func:`genrec.page.content.page_content`.
    """
    style, script = asset("page.css"), asset("page.js")
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; base-uri 'none'; form-action 'none'"
    )
    head = f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n<style>{style}</style>'
    return _filled(head, embedded(content), f"<script>{script}</script>")


def served_page() -> str:
    """The frame that a service gives at ``/``; script and style stand at ``page/page.js`` and ``page/page.css``."""
    head = '<link rel="stylesheet" href="page/page.css">\n<link rel="icon" href="data:,">'
    return _filled(head, embedded({"live": True}), '<script src="page/page.js"></script>')


def _filled(head: str, data: str, script: str) -> str:
    data = f'<script type="application/json" id="data">{data}</script>'
    parts = {"<!--head-->": head, "<!--data-->": data, "<!--script-->": script}
    return re.sub("<!--(?:head|data|script)-->", lambda match: parts[match[0]], asset("page.html"))


def _hash(text: str) -> str:
    """Of what an element holds, as policies name it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
