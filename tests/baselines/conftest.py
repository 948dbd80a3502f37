"""What tests of baselines share: one thread, and a trained recommender. More threads only wait for each other here."""

import pytest

from genrec.data import Interactions
from genrec.generative.recommender import GenerativeRecommender
from genrec.training.train import split_for


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def copy(trained):
    """A trained recommender that a test may change."""
    return GenerativeRecommender.from_pretrained(trained[1])


@pytest.fixture
def split(copy, tables):
    """What it was trained on."""
    return split_for(Interactions.read(tables[1]), copy.index, copy.config)
