"""A trained recommender that a test may change, and what it was trained on; one thread, as for baselines."""

import pytest

from genrec.data import Interactions
from genrec.data.split import split_for
from genrec.generative.recommender import GenerativeRecommender


@pytest.fixture
def copy(trained):
    """A trained recommender that a test may change."""
    return GenerativeRecommender.from_pretrained(trained[1])


@pytest.fixture
def split(copy, tables):
    """What it was trained on."""
    return split_for(Interactions.read(tables[1]), copy.index, copy.config)
