"""Other defaults of decoding for a recommender that is there; what changes nothing is told."""

from __future__ import annotations

from collections.abc import Iterable

from genrec.decoding.options import DecodingOptions, say_idle
from genrec.generative.recommender import GenerativeRecommender


def change_decoding(recommender: GenerativeRecommender, changes: Iterable[str], *, prior: bool = True) -> None:
    """Change decoding settings, and say which of the changes make no difference.

    Args:
        recommender: Whose ``options`` change.
        changes: ``key=value`` strings.
        prior: Whether requests may bring an item prior.

    Raises:
        ConfigError: An unknown setting, a wrong value, or settings that do not go together.
    """
    after = recommender.options.changed(changes)
    idle = without_effect(recommender, after, prior=prior)
    say_idle(idle, idle)
    recommender.options = after


def without_effect(recommender: GenerativeRecommender, after: DecodingOptions, *, prior: bool = True) -> dict[str, str]:
    """Settings other than the recommender's own that make no difference, each with why, in words that follow "since".

    Args:
        recommender: What decodes.
        after: How it is to decode.
        prior: Whether requests may bring an item prior.
    """
    searches = recommender.model.by_beam or not recommender.model.scores_items
    return after.idle_beside(recommender.options, searches=searches, prior=prior)
