"""Finds the recipes and prompts that ship with genrec: inside the wheel, or beside the package in a checkout."""

from __future__ import annotations

import re
from pathlib import Path

from genrec.errors import unknown_name

_PACKAGE = Path(__file__).resolve().parent


def asset_dir(kind: str) -> Path:
    """Folder of the shipped ``tokenizers`` or ``prompts`` (wheel first, then checkout), or package ``presets``."""
    if kind == "presets":
        return _PACKAGE / "presets"
    shipped = _PACKAGE / "_assets" / kind
    return shipped if shipped.is_dir() else _PACKAGE.parent / kind


def asset_names(kind: str, suffix: str) -> list[str]:
    """Names (without suffix) of the shipped assets of a kind, sorted."""
    return sorted(path.name.removesuffix(suffix) for path in asset_dir(kind).glob(f"*{suffix}"))


def find_asset(kind: str, name: str, suffix: str, label: str) -> Path:
    """Path of an asset given by shipped name or by path of a file of the user.

    Args:
        kind: ``tokenizers``, ``prompts`` or ``presets``.
        name: A shipped name such as ``rq-kmeans-3x256``, or a path.
        suffix: File suffix of the kind, such as ``.yaml``.
        label: What to call it in an error.

    Raises:
        ConfigError: Neither exists; names the nearest shipped one.
    """
    own = Path(name)
    if own.suffix == suffix and own.is_file():
        return own
    shipped = asset_dir(kind) / f"{name}{suffix}"
    if "/" not in name and shipped.is_file():
        return shipped
    raise unknown_name(label, name, asset_names(kind, suffix))


def remark_of(text: str, name: str) -> str | None:
    """What a comment line ``# NAME: …`` of a YAML file says; None: there is none.

    Presets that rebuild a paper name it as ``source``, and the recipe of the index they are meant for as ``index``.
    """
    found = re.search(rf"^# {re.escape(name)}: *(.+?) *$", text, flags=re.MULTILINE)
    return None if found is None else found[1]
