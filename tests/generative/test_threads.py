"""One recommender answers many threads at once, whatever network it has and wherever it comes from."""

import numpy as np
import pytest
from language_support import save_checkpoint
from networks import NETWORKS, recommender
from support import assert_threads_agree

from genrec.data import Interactions
from genrec.generative.config import load_train_config
from genrec.generative.recommender import GenerativeRecommender
from genrec.training.train import train

REQUESTS = [["i3", "i9", "i15", "i2"], ["i20"], ["i1", "i2"], ["i50", "i4", "i5", "i6", "i7", "i8"], []]


@pytest.mark.parametrize("stays_ready", [False, True])
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_networks_over_codes(name, stays_ready):
    """From the moment that they are made: in training mode, with dropout, nothing prepared."""
    made = recommender(name)
    made.model.stays_ready = stays_ready

    def ask(history):
        return made.recommend([history], 5, options={"beams": 8})

    assert_threads_agree(ask, REQUESTS, rounds=2)
    assert made.model.training  # as it was found


def test_parts_of_the_catalogue_are_made_and_forgotten_by_many_threads():
    made = recommender("item-decoder")

    def ask(number):
        return made.recommend([["i1"]], 5, allow=[f"i{n}" for n in range(number, 60, 3)])

    assert_threads_agree(ask, list(range(2, 22)), rounds=2)  # more parts than are remembered


LANGUAGE = [
    ("qwen3", "llm-decoder-lora", []),
    ("t5", "llm-seq2seq-lora", []),
    ("bart", "llm-seq2seq-lora", ["model.llm.attention=eager"]),
    ("llama", "llm-item-head", []),
    ("bert", "llm-text-encoder", []),
]


@pytest.mark.parametrize(("family", "preset", "more"), LANGUAGE, ids=[case[0] for case in LANGUAGE])
def test_language_models_as_training_returns_them(family, preset, more, tables, tiny_index, tmp_path):
    settings = [
        f"model.checkpoint={save_checkpoint(tmp_path / 'lm', family)}",
        *("model.llm.lora.r=2", "model.max_items=4", "prompts.rows_per_epoch=8", "validation.users=2"),
        *("validation.beams=2", "generation.beams=4", "trainer.num_train_epochs=1", "trainer.learning_rate=0.05"),
        *("trainer.per_device_train_batch_size=4", "trainer.warmup_steps=0", "tasks=[{prompt: next-item}]"),
    ]
    config = load_train_config(preset, [*settings, *more])
    made = train(tiny_index, Interactions.read(tables[1]), config, tmp_path / "model")
    ids = tiny_index.item_ids
    requests = [[ids[int(item[1:])] for item in request] for request in REQUESTS]

    def ask(history):
        return made.recommend([history], 4)

    assert_threads_agree(ask, requests, rounds=2)
    made.model.end_decoding()
    made.model.stays_ready = False
    assert_threads_agree(ask, requests, rounds=1)


def test_a_model_is_saved_and_merged_between_requests_not_under_them(tables, tiny_index, tmp_path):
    settings = [
        f"model.checkpoint={save_checkpoint(tmp_path / 'lm', 'qwen3')}",
        *("model.llm.lora.r=2", "model.max_items=4", "prompts.rows_per_epoch=8", "validation.users=2"),
        *("validation.beams=2", "generation.beams=4", "trainer.num_train_epochs=1", "trainer.learning_rate=0.05"),
        *("trainer.per_device_train_batch_size=4", "trainer.warmup_steps=0", "tasks=[{prompt: next-item}]"),
    ]
    config = load_train_config("llm-decoder-lora", settings)
    made = train(tiny_index, Interactions.read(tables[1]), config, tmp_path / "model")
    histories = [[item] for item in tiny_index.item_ids[:4]]

    def ask(number):
        if number == 7:
            made.save_pretrained(tmp_path / "again", overwrite=True)
        return made.recommend([histories[number % 4]], 4)

    assert_threads_agree(ask, list(range(8)), rounds=1)
    again = GenerativeRecommender.from_pretrained(tmp_path / "again")
    expected, found = made.recommend(histories, 4), again.recommend(histories, 4)
    np.testing.assert_array_equal(found.items, expected.items)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)
