"""Shared fixtures: tiny real networks of every architecture, quick to build."""

from __future__ import annotations

import functools
import gc
import os
import random
import sys
import time

# Tiny networks gain nothing from threads, and lose much on a busy machine. Before numpy: it reads this once.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import pytest
from hypothesis import settings
from support import TINY_BACKBONES, TINY_TOKENIZER, TINY_TRAINING, make_tables

# The same examples in every run, and no clock: a busy machine is no bug.
settings.register_profile("genrec", deadline=None, derandomize=True)
settings.load_profile("genrec")


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """What the tests import stays as long as the process: Python's collector never looks through these objects.

    Every end of a training collects garbage by hand, and took longer over them than the training of a tiny network.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


_LAST_FULL = [0.0, 0.0]


def _timed(phase, info):
    """Notes how long the last full collection of garbage took."""
    if info["generation"] == 2:
        _LAST_FULL[phase == "stop"] = time.process_time()


gc.callbacks.append(_timed)


@pytest.fixture(autouse=True, scope="module")
def _what_earlier_files_imported_stays_too():
    """Libraries that they began to use are set aside as well, where a collection has become slow."""
    if _LAST_FULL[1] - _LAST_FULL[0] > 0.03:
        gc.collect()
        gc.freeze()
        _LAST_FULL[:] = 0.0, 0.0


@pytest.fixture(autouse=True, scope="session")
def _one_tree_of_commands():
    """The options of every command are built once, as in a process of the shell, not anew for each call of a test."""
    testing = sys.modules.get("typer.testing")
    if testing is not None:
        testing._get_command = functools.cache(testing._get_command)


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    """Caches of this run alone: what earlier runs left in the home directory decides nothing."""
    os.environ["GENREC_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def _own_chance():
    """Every test draws the same numbers, whichever tests came before it in this process."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - what libraries draw from
    if "torch" in sys.modules:
        torch = sys.modules["torch"]
        torch.default_generator.manual_seed(0)  # manual_seed also formats the stack, for a GPU that is not there yet
        if torch.cuda.is_initialized():
            torch.cuda.manual_seed_all(0)


@pytest.fixture(params=sorted(TINY_BACKBONES))
def architecture(request):
    return request.param


@pytest.fixture
def tiny_model():
    """A function that builds a tiny network with random weights, in evaluation mode."""
    import torch

    from genrec.models import build_model

    def build(architecture, codebook_sizes, seed=0, **settings):
        torch.manual_seed(seed)
        model = build_model(architecture, codebook_sizes, backbone=TINY_BACKBONES[architecture], **settings)
        # Random weights of the usual scale give nearly uniform codes; larger ones make rankings mean something.
        with torch.no_grad():
            model.output_table.weight.mul_(8 if architecture == "seq2seq" else 30)
        return model.eval()

    return build


@pytest.fixture(scope="session")
def tables(tmp_path_factory):
    """Paths of a tiny items table and interactions table."""
    folder = tmp_path_factory.mktemp("tables")
    items, interactions = make_tables()
    items.write_ndjson(folder / "items.jsonl")
    interactions.write_csv(folder / "interactions.csv")
    return folder / "items.jsonl", folder / "interactions.csv"


@pytest.fixture(scope="session")
def tiny_index(tables):
    """A small index with collisions that disambiguation resolves."""
    from genrec.data import Catalog
    from genrec.index.recipe import load_recipe
    from genrec.index.semantic_index import SemanticIndex

    return SemanticIndex.build(Catalog.read(tables[0]), load_recipe("rq-kmeans-3x256", TINY_TOKENIZER))


@pytest.fixture(scope="session")
def tiny_config():
    """A training run of about a second."""
    from genrec.generative.config import load_train_config

    return load_train_config("item-decoder-small", TINY_TRAINING)


@pytest.fixture(scope="session")
def trained(tables, tiny_index, tiny_config, tmp_path_factory):
    """A trained recommender and its folder."""
    from genrec.data import Interactions
    from genrec.training.train import train

    folder = tmp_path_factory.mktemp("trained") / "model"
    return train(tiny_index, Interactions.read(tables[1]), tiny_config, folder), folder


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub on this machine, an empty cache, and the token of somebody who may write."""
    import huggingface_hub.constants
    from hub_server import TOKEN, Hub

    made = Hub()
    monkeypatch.setenv("HF_ENDPOINT", made.address)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    yield made
    made.close()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A function: the folder of a tiny language model of a family, made once."""
    from language_support import save_checkpoint

    made = {}

    def folder(family):
        if family not in made:
            made[family] = save_checkpoint(tmp_path_factory.mktemp("lm") / family, family)
        return made[family]

    return folder
