"""Where the records of csv text end and how many fields each has, by vectorised passes over its bytes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_CHUNK = 1 << 24
_QUOTE, _NEWLINE, _RETURN = 34, 10, 13


@dataclass(frozen=True)
class Records:
    """Records of a csv file, header included.

    Attributes:
        stops: ``(n_records,)`` int64, end of each record, its newline included.
        separators: ``(n_records,)`` int64, separators outside quotes.
        blank: ``(n_records,)`` bool, empty lines.
        irregular: Quotes stand where the csv rules have none: only a slow reader can tell records apart.
    """

    stops: np.ndarray
    separators: np.ndarray
    blank: np.ndarray
    irregular: bool
    quoted: bool


def is_even(data: bytes, separator: bytes, quotes: bool) -> bool:
    """Whether every line has as many fields as the header, no blank line and no quote that means anything."""
    stop = data.find(b"\n") + 1
    if b"\r" in data[:stop].rstrip(b"\r\n"):
        return False
    row = separator * data.count(separator, 0, stop) + b"\n"
    if len(row) == 1:  # also blank lines would look so
        return False
    others = bytes(set(range(256)) - set(row + b'"' * quotes))
    rest = b""
    for start in range(0, len(data), _CHUNK):
        signs = rest + data[start : start + _CHUNK].translate(None, others)
        end = len(signs) // len(row) * len(row)
        if signs[:end] != row * (end // len(row)):
            return False
        rest = signs[end:]
    return stop < len(data) and rest == (b"" if data.endswith(b"\n") else row[:-1])


def scan(data: bytes, separator: int, quotes: bool) -> Records:
    """Find the ends of all records and count the separators of each, in chunks of the buffer."""
    text = np.frombuffer(data, np.uint8)
    stops: list[np.ndarray] = []
    totals: list[np.ndarray] = []  # separators before each stop, from the start of the file
    before, odd, irregular, quoted = 0, 0, False, False
    for start in range(0, len(text), _CHUNK):
        part = text[start : start + _CHUNK]
        is_end, is_separator = part == _NEWLINE, part == separator
        is_quote = part == _QUOTE
        if quotes and (odd or is_quote.any()):
            quoted = True
            inside = (np.cumsum(is_quote, dtype=np.int64) + odd) & 1
            irregular = irregular or _has_stray_quote(text, start + np.flatnonzero(is_quote), odd, separator)
            odd = int(inside[-1])
            is_end, is_separator = is_end & (inside == 0), is_separator & (inside == 0)
        ends, separators = np.flatnonzero(is_end), np.flatnonzero(is_separator)
        stops.append(ends + start + 1)
        totals.append(np.searchsorted(separators, ends) + before)
        before += len(separators)
    ends_all, totals_all = np.concatenate([*stops, []]), np.concatenate([*totals, []])
    if len(text) and (not len(ends_all) or ends_all[-1] != len(text)):
        ends_all, totals_all = np.r_[ends_all, len(text)], np.r_[totals_all, before]
    ends_all = ends_all.astype(np.int64)
    blank = _blank(text, ends_all)
    return Records(ends_all, np.diff(totals_all, prepend=0).astype(np.int64), blank, irregular or bool(odd), quoted)


def _has_stray_quote(text: np.ndarray, quotes: np.ndarray, odd: int, separator: int) -> bool:
    """Whether a quote opens in the middle of a field or closes before its end."""
    opening = (np.arange(len(quotes)) + odd) % 2 == 0
    borders = np.array([separator, _NEWLINE, _RETURN, _QUOTE], np.uint8)
    before, after = quotes[opening] - 1, quotes[~opening] + 1
    before, after = before[before >= 0], after[after < len(text)]
    return not (np.isin(text[before], borders).all() and np.isin(text[after], borders).all())


def _blank(text: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Records that hold nothing but their line end."""
    lengths = np.diff(stops, prepend=0)
    ended = text[stops - 1] == _NEWLINE
    returned = ended & (lengths > 1) & (text[np.maximum(stops - 2, 0)] == _RETURN)
    return lengths - ended - returned == 0


def line_numbers(data: bytes, starts: np.ndarray, quoted: bool) -> np.ndarray:
    """Line number of every record, ``(n_records,)`` int64; quoted fields may hold line ends."""
    if not quoted:
        return np.arange(1, len(starts) + 1)
    ends = np.concatenate(
        [
            np.flatnonzero(np.frombuffer(data, np.uint8, min(_CHUNK, len(data) - at), at) == _NEWLINE) + at
            for at in range(0, len(data), _CHUNK)
        ]
    )
    return np.searchsorted(ends, starts) + 1


def cut_out(data: bytes, starts: np.ndarray, stops: np.ndarray, records: np.ndarray) -> bytes:
    """The bytes of some records only."""
    if len(records) == len(stops):
        return data
    breaks = np.flatnonzero(np.diff(records) != 1)
    first, last = records[np.r_[0, breaks + 1]], records[np.r_[breaks, len(records) - 1]]
    view = memoryview(data)
    return b"".join([view[a:b] for a, b in zip(starts[first].tolist(), stops[last].tolist(), strict=True)])
