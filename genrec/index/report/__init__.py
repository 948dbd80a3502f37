"""What there is to know about semantic indexes: numbers, verdicts, pages, differences and comparisons."""

from genrec.index.report.text import render_report, show_item, show_prefix
from genrec.index.report.verdicts import Check, checks, collision_line, overall, reasons, says_little
from genrec.index.stats import CodeAgreement, IndexStats, LevelStats, compute_stats, level_stats

__all__ = [
    "Check",
    "CodeAgreement",
    "IndexStats",
    "LevelStats",
    "checks",
    "collision_line",
    "compute_stats",
    "level_stats",
    "overall",
    "reasons",
    "render_report",
    "says_little",
    "show_item",
    "show_prefix",
]
