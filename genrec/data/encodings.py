"""Text that is not UTF-8: which encoding it is probably in, and the command that converts it."""

from __future__ import annotations

import numpy as np

_LOOK = 1 << 16
_TOGETHER = 0.7
_SIGNS = {
    "CP932": ("cp932", "぀", "ヿ", 0.1),  # kana, which every Japanese text has
    "EUC-JP": ("euc_jp", "぀", "ヿ", 0.1),
    "EUC-KR": ("euc_kr", "가", "힣", 0.6),
}
_OTHERS = "WINDOWS-1252 (Western Europe), WINDOWS-1251 (Cyrillic), CP932 (Japan), GB18030 (China), EUC-KR (Korea)"


def conversion_hint(data: bytes) -> str:
    """How to make UTF-8 of text.

    Args:
        data: Text in some other encoding, or a part of it.

    >>> conversion_hint("Käse, Größe".encode("cp1252"))
    'If it is Latin-1 (Windows-1252), convert it: iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW'
    >>> conversion_hint("商品コード,カテゴリ".encode("cp932"))
    'It looks like CP932; convert it: iconv -f CP932 -t UTF-8 FILE > NEW'
    """
    for name, (codec, first, last, share) in _SIGNS.items():
        text = data[:_LOOK].decode(codec, errors="ignore")
        signs = [sign for sign in text if sign > "\x7f"]
        if _reads(data[:_LOOK], codec) and sum(first <= sign <= last for sign in signs) > share * len(signs):
            return f"It looks like {name}; convert it: {_command(name)}"
    high = np.frombuffer(data[:_LOOK], np.uint8) > 127
    beside = high & (np.r_[high[1:], False] | np.r_[False, high[:-1]])
    if beside.sum() < _TOGETHER * high.sum():  # letters with accents stand among plain ones
        return f"If it is Latin-1 (Windows-1252), convert it: {_command('WINDOWS-1252')}"
    return f"Convert it: {_command('ENCODING')}, where ENCODING is what wrote it: {_OTHERS}."


def _reads(data: bytes, codec: str) -> bool:
    """Whether all of it can be read, but for what the end may have cut."""
    for cut in range(4):
        try:
            data[: len(data) - cut].decode(codec)
        except UnicodeDecodeError:
            continue
        return True
    return False


def _command(name: str) -> str:
    return f"iconv -f {name} -t UTF-8 FILE > NEW"
