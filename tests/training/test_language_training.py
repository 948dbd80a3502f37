"""Language models through the same door as every other: train, stop, resume, save, load, recommend."""

import numpy as np
import pytest
from language_support import save_checkpoint
from safetensors.torch import load_file

from genrec.data import Interactions
from genrec.errors import ArtifactError, ConfigError, ModelError
from genrec.generative.config import load_train_config
from genrec.recommender import Recommender
from genrec.training.session import TrainingStoppedError
from genrec.training.train import train
from genrec.training.trainer import StopOnRequest

pytest.importorskip("peft")
TINY = [
    "model.llm.lora.r=2",
    "model.llm.lora.lora_dropout=0.1",
    "model.max_items=4",
    "prompts.rows_per_epoch=16",
    "validation.users=8",
    "validation.beams=4",
    "generation.beams=8",
    "trainer.num_train_epochs=2",
    "trainer.per_device_train_batch_size=8",
    "trainer.warmup_steps=1",
]


@pytest.fixture(scope="module")
def interactions(tables):
    return Interactions.read(tables[1])


def config(folder, *more, preset="llm-decoder-lora"):
    return load_train_config(preset, [f"model.checkpoint={folder}", *TINY, *more])


def weights(folder):
    """All tensors of a recommender's model, by file and name."""
    return {
        f"{path.name} {name}": value
        for path in sorted((folder / "model").rglob("*.safetensors"))
        for name, value in load_file(path).items()
    }


class StopAfter(StopOnRequest):
    """Asks for the end after some steps, as Ctrl-C does."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def on_step_end(self, args, state, control, **kwargs):
        self.requested = state.global_step >= self.steps
        return super().on_step_end(args, state, control, **kwargs)


CASES = [
    ("qwen3", "llm-decoder-lora", []),
    pytest.param("t5", "llm-seq2seq-lora", ["model.trie_masked_loss=true"], marks=pytest.mark.slow),
    pytest.param("llama", "llm-item-head", [], marks=pytest.mark.slow),
    ("bert", "llm-text-encoder", []),
]


@pytest.mark.parametrize(("family", "preset", "more"), CASES)
def test_a_stopped_run_ends_with_the_same_weights(family, preset, more, checkpoint, tiny_index, interactions, tmp_path):
    settings = config(checkpoint(family), "tasks=[{prompt: next-item}]", *more, preset=preset)
    whole = train(tiny_index, interactions, settings, tmp_path / "whole")
    with pytest.raises(TrainingStoppedError, match="nothing is lost"):
        train(tiny_index, interactions, settings, tmp_path / "stopped", callbacks=[StopAfter(3)])
    resumed = train(tiny_index, interactions, settings, tmp_path / "stopped")
    assert resumed.metrics["steps"] == whole.metrics["steps"] == 4
    first, second = weights(tmp_path / "whole"), weights(tmp_path / "stopped")
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[name].numpy(), second[name].numpy()) for name in first)
    again = Recommender.from_pretrained(tmp_path / "whole")
    histories = [tiny_index.item_ids[[3, 9, 15]].tolist(), [tiny_index.item_ids[20]], []]
    found, loaded = whole.recommend(histories, 6), again.recommend(histories, 6)
    assert (found.items == loaded.items).all()
    np.testing.assert_allclose(found.scores, loaded.scores, atol=1e-6)
    for ids, history in zip(found.item_ids, histories, strict=True):
        assert len(set(ids)) == len(ids) == 6
        assert not set(ids) & set(history)
    alone = again.recommend([histories[1]], 6)
    assert (alone.items[0] == found.items[1]).all()
    only = again.recommend(histories, 6, allow=tiny_index.item_ids[:4].tolist())
    assert all(set(ids) <= set(tiny_index.item_ids[:4]) for ids in only.item_ids)
    name = settings.tasks[0].prompt
    assert (tmp_path / "whole" / "prompts" / f"{name}.jinja").is_file()
    assert again.config.tasks[0].prompt.endswith(f"whole/prompts/{name}.jinja")
    if preset == "llm-decoder-lora":
        again.merge()
        merged = again.recommend(histories, 6)
        np.testing.assert_allclose(merged.scores, found.scores, atol=1e-4)
        again.save_pretrained(tmp_path / "merged")
        assert (tmp_path / "merged" / "model" / "language_model" / "tokenizer.json").is_file()
        plain = Recommender.from_pretrained(tmp_path / "merged")
        np.testing.assert_allclose(plain.recommend(histories, 6).scores, found.scores, atol=1e-4)


def test_inputs_that_cannot_be_trained(checkpoint, tiny_index, interactions, tmp_path):
    with pytest.raises(ConfigError, match=r"none is given[\s\S]*model.checkpoint"):
        train(tiny_index, interactions, load_train_config("llm-decoder-lora", TINY), tmp_path / "out")
    with pytest.raises(ConfigError, match="Did you mean 'language-model'"):
        train(tiny_index, interactions, config(checkpoint("qwen3"), "model.architecture=languge-model"), tmp_path / "o")
    with pytest.raises(ModelError, match="chat template"):
        train(tiny_index, interactions, config(checkpoint("qwen3"), "prompts.chat=true"), tmp_path / "out")
    with pytest.raises(ConfigError, match="nothing can be recommended"):
        train(tiny_index, interactions, config(checkpoint("qwen3"), "tasks=[{prompt: title-to-id}]"), tmp_path / "out")
    with pytest.raises(ConfigError, match="Unknown"):
        train(tiny_index, interactions, config(checkpoint("qwen3"), "tasks=[{prompt: next-itm}]"), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_another_index_is_refused_by_name(checkpoint, tables, tiny_index, interactions, tmp_path):
    from support import TINY_TOKENIZER

    from genrec.data import Catalog
    from genrec.index.recipe import load_recipe
    from genrec.index.semantic_index import SemanticIndex

    small = ["trainer.num_train_epochs=1", "model.llm.tuning=full"]
    train(tiny_index, interactions, config(checkpoint("qwen3"), *small), tmp_path / "model")
    recipe = load_recipe("rq-kmeans-3x256", [*TINY_TOKENIZER, "seed=5"])
    other = SemanticIndex.build(Catalog.read(tables[0]), recipe)
    assert other.fingerprint != tiny_index.fingerprint
    with pytest.raises(ArtifactError) as refused:
        Recommender.from_pretrained(tmp_path / "model", index=other)
    assert tiny_index.fingerprint in str(refused.value)
    assert other.fingerprint in str(refused.value)
    plain = tmp_path / "model" / "model" / "language_model"
    with pytest.raises(ArtifactError, match=tiny_index.fingerprint):
        train(other, interactions, config(plain, *small), tmp_path / "second")


def test_a_mixture_of_tasks_in_bfloat16_with_accumulation(checkpoint, tiny_index, interactions, tmp_path):
    mixture = "tasks=[{prompt: next-item}, {prompt: title-to-id}, {prompt: id-to-title, schedule: ramp-down}]"
    more = ["trainer.bf16=true", "trainer.gradient_accumulation_steps=2", "trainer.gradient_checkpointing=true"]
    settings = config(checkpoint("qwen3"), mixture, *more, "model.llm.code_rows=titles", "trainer.use_cpu=true")
    made = train(tiny_index, interactions, settings, tmp_path / "model")
    assert made.metrics["steps"] == 2
    assert np.isfinite(made.metrics["validation"]["ndcg@10"])


def test_a_checkpoint_that_changed_is_another_run(tiny_index, interactions, tmp_path):
    folder = save_checkpoint(tmp_path / "lm", "qwen3")
    settings = config(folder, "trainer.num_train_epochs=1")
    first = train(tiny_index, interactions, settings, tmp_path / "model")
    assert train(tiny_index, interactions, settings, tmp_path / "model").metrics == first.metrics  # nothing to do
    save_checkpoint(folder, "llama")
    with pytest.raises(ArtifactError, match="different: checkpoint"):
        train(tiny_index, interactions, settings, tmp_path / "model")


def test_code_rows_are_fitted_before_the_first_step_and_not_where_they_are_not_to_be(
    checkpoint, tiny_index, interactions, tmp_path
):
    once = ["trainer.max_steps=1", "trainer.learning_rate=0.0"]
    fitted = train(tiny_index, interactions, config(checkpoint("qwen3"), *once), tmp_path / "fitted")
    plain = config(checkpoint("qwen3"), *once, "model.llm.fit_code_rows=0")
    plain = train(tiny_index, interactions, plain, tmp_path / "plain")
    told = fitted.metrics["code_rows"]
    assert told["after"] <= told["before"]
    assert told["items"] > 16
    assert "code_rows" not in plain.metrics
    assert fitted.model.config.own_output
    assert not plain.model.config.own_output
    assert Recommender.from_pretrained(tmp_path / "fitted").model.config.own_output
