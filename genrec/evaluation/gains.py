"""What networks add to counts and words: each recommender against itself without its network, on the same cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from genrec.evaluation.evaluator import EvaluationResult
from genrec.evaluation.tables import as_markdown, plain_table
from genrec.evaluation.uncertainty import Difference, paired_difference


@dataclass(frozen=True)
class NetworkGain:
    """What one network adds.

    Attributes:
        recommender: Its name.
        without: Name of the row without the network.
        metric: Such as ``ndcg@10``.
        value: Of the recommender.
        value_without: Without its network.
        difference: Paired, with its interval and p-value.
    """

    recommender: str
    without: str
    metric: str
    value: float
    value_without: float
    difference: Difference

    def keys(self) -> dict[str, float]:
        """Keys for the rows of a results file."""
        return {
            f"{self.metric}_gain": self.difference.mean,
            f"{self.metric}_gain_low": self.difference.low,
            f"{self.metric}_gain_high": self.difference.high,
            "p": self.difference.p_value,
        }


def network_gains(
    results: Sequence[EvaluationResult], pairs: Mapping[str, str], metric: str, *, seed: int = 0
) -> list[NetworkGain]:
    """Paired tests of recommenders against themselves without their networks.

    Args:
        results: Of both, on the same cases in the same order.
        pairs: Recommender to the name of the row without its network.
        metric: Such as ``ndcg@10``.
        seed: Of the resampling.
    """
    named = {result.recommender: result for result in results}
    gains = []
    for name, other in pairs.items():
        first, second = named[name], named[other]
        own, less = first.values(metric), second.values(metric)
        difference = paired_difference(own, less, first.owners, seed=seed)
        gains.append(NetworkGain(name, other, metric, float(own.mean()), float(less.mean()), difference))
    return gains


def gain_lines(gains: Sequence[NetworkGain]) -> list[dict[str, str]]:
    """Cells of a table, one line a network."""
    return [
        {
            "recommender": gain.recommender,
            gain.metric: f"{gain.value:.4f}",
            "without network": f"{gain.value_without:.4f}",
            "the network adds": f"{gain.difference.mean:+.4f}",
            "95 % interval": f"{gain.difference.low:+.4f} to {gain.difference.high:+.4f}",
            "p": "below 0.0002" if gain.difference.p_value < 0.0002 else f"{gain.difference.p_value:.4f}",
        }
        for gain in gains
    ]


def gain_table(gains: Sequence[NetworkGain]) -> str:
    """Plain text for a terminal."""
    return plain_table(gain_lines(gains))


def gain_section(gains: Sequence[NetworkGain]) -> str:
    """A section of a Markdown page; the empty string without gains."""
    if not gains:
        return ""
    note = (
        "Without network: words and counts alone, with the weights of the recommender. Paired permutation test on the "
        "same users."
    )
    return f"## What the network adds\n\n{as_markdown(gain_lines(gains))}\n\n{note}\n"
