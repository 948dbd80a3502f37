"""One self-contained HTML page that tells a person whether an index is good."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from genrec.index.report import plots
from genrec.index.report.text import example_prefixes, quality
from genrec.index.report.verdicts import MATTERS, checks, overall
from genrec.index.stats import IndexStats, compute_stats
from genrec.pages import drawn, filled
from genrec.wording import count

if TYPE_CHECKING:
    from genrec.index.semantic_index import SemanticIndex

TEMPLATE = "page.html.jinja"


def render_index_html(
    index: SemanticIndex, stats: IndexStats | None = None, *, command: str = "", examples: int = 8
) -> str:
    """The page. Plots are inside it where matplotlib is installed; else the page says how to get them.

    Args:
        index: The index.
        stats: Its numbers, if they are known already.
        command: What repeats it.
        examples: Number of first codes, and of two-code prefixes, that are shown with titles.
    """
    stats = stats or compute_stats(index)
    context = {
        "stats": stats,
        "facts": _facts(index, stats),
        "overall": overall(stats),
        "checks": checks(stats),
        "matters": MATTERS,
        "quality": quality(stats),
        "prefixes": example_prefixes(index, stats, examples),
        "usage_plot": drawn(plots.usage_plot, index.codes, stats),
        "likeness_plot": drawn(plots.likeness_plot, stats),
        "groups_plot": drawn(plots.groups_plot, stats),
        "agreement_plot": drawn(plots.agreement_plot, stats) if stats.agreement else None,
        "command": command,
    }
    return filled(Path(__file__).parent / TEMPLATE, context)


def _facts(index: SemanticIndex, stats: IndexStats) -> list[tuple[str, str]]:
    sizes = " × ".join(f"{size:,}" for size in stats.codebook_sizes)
    kind = "slots that do not depend on each other" if stats.levels[0].kind == "slot" else "from coarse to fine"
    recipe = index.recipe
    facts = [
        ("Recipe", f"{recipe.name}: {recipe.description}" if recipe.description else recipe.name),
        ("Item encoder", str(recipe.encoder.get("name"))),
        ("Quantizer", f"{stats.quantizer}, {count(stats.quantizer_levels, 'level')}, {kind}"),
        ("Disambiguation", str(recipe.disambiguation.get("name"))),
        ("Semantic IDs", f"{sizes} codes; a model learns {count(sum(stats.codebook_sizes), 'code token')}"),
        ("Fingerprint", f"{index.fingerprint[:12]}, {_generations(len(index.lineage))}"),
    ]
    return [*facts, ("An item", _example(index))]


def _generations(n: int) -> str:
    return "as built" if n == 1 else f"grown {count(n - 1, 'time')} since it was built"


def _example(index: SemanticIndex) -> str:
    return f"{index.catalog.frame[:1].to_dicts()[0]['item_id']} has the codes {index.codes[0].tolist()}"
