"""Code rows fitted to the states of a network: it starts no worse than a guess, and everything else stays."""

import math

import pytest
import torch
from language_support import SIZES, build, examples, first_scores, prompts, trie

from genrec.models import load_model
from genrec.models.llm.fitted_rows import fit_code_rows

pytest.importorskip("peft")
NORMS = {"qwen3": "model.norm", "llama": "model.norm", "gpt2": "transformer.ln_f", "t5": "decoder.final_layer_norm"}


def loud(folder, family, *, masked=True, **settings):
    """A model whose states are large, as those of real language models are."""
    model = build(folder, own_output=True, **settings)
    norm = model.base.get_submodule(NORMS[family])
    with torch.no_grad():
        norm.weight.mul_(10)
    model.prepare(trie(), trie_masked_loss=masked)
    return model


def batches(model, number=8):
    return [examples(model, users=8, seed=seed)[0] for seed in range(number)]


def loss(model):
    """Nats an item of examples that no fit has seen."""
    batch, _ = examples(model, users=60, seed=99)
    with torch.no_grad():
        return float(model(**batch).loss) * len(SIZES)


@pytest.mark.parametrize("family", NORMS)
def test_the_start_costs_no_more_than_a_guess(family, checkpoint):
    model = loud(checkpoint(family), family)
    before = loss(model)
    found = fit_code_rows(model, batches(model, 20))
    assert before > found.guess + 2
    assert found.before > found.guess + 2
    assert found.after <= found.guess + 0.2
    assert loss(model) <= found.guess + 0.3


@pytest.mark.parametrize(("family", "most"), [("llama", 1.0), ("qwen3", 5.0), ("gpt2", 1.0), ("t5", math.inf)])
def test_among_all_tokens_it_starts_far_better_than_before(family, most, checkpoint):
    """The T5 has one table for input and output, which cannot move as a whole: there it only gets better."""
    model = loud(checkpoint(family), family, masked=False)
    before = loss(model)
    found = fit_code_rows(model, batches(model, 20))
    assert found.guess == pytest.approx(sum(math.log(size) for size in SIZES))
    assert loss(model) < min(before - 5, found.guess + most)


@pytest.mark.parametrize("tuning", ["lora", "embeddings-only", "full"])
@pytest.mark.parametrize("family", ["qwen3", "llama"])
def test_words_keep_their_rows_and_logits(family, tuning, checkpoint):
    model = loud(checkpoint(family), family, tuning=tuning)
    batch, _ = examples(model)
    words = torch.ones(len(model.base.get_input_embeddings().weight), dtype=torch.bool)
    words[model.tokens.all_ids] = False
    text = {"input_ids": batch["input_ids"].masked_fill(~words[batch["input_ids"]], 5), "attention_mask": None}
    with torch.no_grad():
        before = model.lm(**text).logits[..., words].clone()
        rows = model.base.get_input_embeddings().weight[words].clone()
        assert fit_code_rows(model, batches(model)) is not None
        assert torch.equal(model.base.get_input_embeddings().weight[words], rows)
        assert torch.equal(model.lm(**text).logits[..., words], before)


@pytest.mark.parametrize(
    "settings", [{}, {"train_code_rows": False}, {"tuning": "embeddings-only"}, {"tuning": "full"}]
)
@pytest.mark.parametrize("family", ["qwen3", "gpt2", "t5"])
def test_saved_loaded_and_merged_it_says_the_same(family, settings, checkpoint, tmp_path):
    model = build(checkpoint(family), own_output=True, **settings)
    assert fit_code_rows(model, batches(model)) is not None
    ids, mask = prompts(model)
    said = first_scores(model, ids, mask)
    model.save_pretrained(tmp_path / "model")
    again = load_model(tmp_path / "model")
    torch.testing.assert_close(first_scores(again, ids, mask), said, atol=1e-5, rtol=1e-5)
    again.merge()
    torch.testing.assert_close(first_scores(again, ids, mask), said, atol=1e-4, rtol=1e-4)
    again.save_pretrained(tmp_path / "merged")
    torch.testing.assert_close(first_scores(load_model(tmp_path / "merged"), ids, mask), said, atol=1e-4, rtol=1e-4)


def test_the_same_examples_give_the_same_rows(checkpoint):
    first, second = loud(checkpoint("qwen3"), "qwen3"), loud(checkpoint("qwen3"), "qwen3")
    assert fit_code_rows(first, batches(first)) == fit_code_rows(second, batches(second))
    ids, mask = prompts(first)
    assert torch.equal(first_scores(first, ids, mask), first_scores(second, ids, mask))


def test_the_input_keeps_what_it_reads(checkpoint):
    model = loud(checkpoint("qwen3"), "qwen3")
    ids = torch.from_numpy(model.tokens.all_ids)
    with torch.no_grad():
        before = model.base.get_input_embeddings()(ids)
        assert fit_code_rows(model, batches(model)) is not None
        assert torch.equal(model.base.get_input_embeddings()(ids), before)
    assert not model.base.config.tie_word_embeddings


def test_one_table_keeps_most_of_what_it_reads(checkpoint):
    model = build(checkpoint("t5"))
    model.prepare(trie(), trie_masked_loss=True)
    ids = torch.from_numpy(model.tokens.ids[0])
    with torch.no_grad():
        model.base.decoder.final_layer_norm.weight.mul_(10)
        found = fit_code_rows(model, batches(model))
        rows = model.base.get_input_embeddings()(ids)
    assert found.after < found.before - 2
    assert torch.linalg.matrix_rank(rows - rows.mean(0)) == len(ids) - 1


def test_other_output_layers_are_left_alone(checkpoint):
    model = loud(checkpoint("qwen3"), "qwen3")
    model.config.own_logits = True
    before = model.base.get_input_embeddings().weight.clone()
    assert fit_code_rows(model, batches(model)) is None
    assert torch.equal(model.base.get_input_embeddings().weight, before)


def test_examples_without_items_change_nothing(checkpoint):
    model = loud(checkpoint("qwen3"), "qwen3")
    said = first_scores(model, *prompts(model))
    text = torch.full((2, 6), 5)
    nothing = {"input_ids": text, "attention_mask": torch.ones_like(text), "labels": text}
    assert fit_code_rows(model, [nothing]) is None
    assert torch.equal(first_scores(model, *prompts(model)), said)
