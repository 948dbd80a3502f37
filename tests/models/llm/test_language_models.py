"""Language models of five families: what is trained and saved, and that prompts are read alike however they come."""

import pytest
import torch
from language_support import FAMILIES, SIZES, build, examples, first_scores, fit, prompts, trie
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.exact import score_items
from genrec.errors import ArtifactError, ConfigError
from genrec.models import load_model
from genrec.models.hf.beam_rows import HFRowsPredictor
from genrec.models.hf.causal import HFCausalPredictor
from genrec.models.hf.seq2seq import HFSeq2SeqPredictor
from genrec.models.llm.tuning import adapter_bytes

pytest.importorskip("peft")


def tables(model):
    """Input and output rows as the model uses them, ``{name: (vocabulary, dim)}``."""
    base = model.base
    with torch.no_grad(), model.decoding():
        found = {"input": base.get_input_embeddings(), "output": base.get_output_embeddings()}
        return {name: table.weight.detach().clone() for name, table in found.items() if table is not None}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("tuning", ["lora", "embeddings-only", "full"])
def test_what_is_trained_saved_and_merged(family, tuning, checkpoint, tmp_path):
    model = build(checkpoint(family), tuning=tuning)
    before = tables(model)
    losses = fit(model)
    assert losses[-1] < losses[0] - 0.02
    after = tables(model)
    new = torch.zeros(len(before["input"]), dtype=torch.bool)
    new[model.tokens.all_ids] = True
    for name in before:
        moved = (after[name] != before[name]).any(1)
        assert moved[new].any()
        # Every row of an output layer gets a gradient; one that is only read moves where its token was in the batch.
        assert not moved[~new].any() or tuning == "full"
    if tuning != "full":
        trained = [name for name, value in model.named_parameters() if value.requires_grad]
        assert all("lora_" in name or "trainable_tokens" in name for name in trained)
        assert any("lora_" in name for name in trained) == (tuning == "lora")
    batch, _ = examples(model)
    with torch.no_grad():
        expected = model(**batch).loss
        model.save_pretrained(tmp_path / "model")
        again = load_model(tmp_path / "model")
        torch.testing.assert_close(again(**batch).loss, expected, atol=0, rtol=0)
        if tuning != "full":
            numbers = sum(value.numel() for value in model.parameters() if value.requires_grad)
            assert adapter_bytes(tmp_path / "model" / "adapter") < 4 * numbers + 40_000
        again.merge()
        torch.testing.assert_close(again(**batch).loss, expected, atol=1e-5, rtol=1e-5)
        again.save_pretrained(tmp_path / "merged")
        merged = load_model(tmp_path / "merged")
        torch.testing.assert_close(merged(**batch).loss, expected, atol=1e-5, rtol=1e-5)
    kind = AutoModelForSeq2SeqLM if model.seq2seq else AutoModelForCausalLM
    plain = kind.from_pretrained(tmp_path / "merged" / "language_model").eval()
    with torch.no_grad():  # transformers' own loss: the same mean over the same labels
        theirs = plain(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], labels=batch["labels"])
    torch.testing.assert_close(theirs.loss, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_padding_and_batch_do_not_change_a_user(family, checkpoint):
    model = build(checkpoint(family), tuning="full")
    ids, mask = prompts(model)
    together = first_scores(model, ids, mask)
    assert float(together.std(0).max()) > 1e-3  # users differ
    left_ids, left_mask = ids.clone(), mask.clone()
    for user, length in enumerate(mask.sum(1).tolist()):
        shift = mask.shape[1] - length
        left_ids[user], left_mask[user] = ids[user].roll(shift), mask[user].roll(shift)
    if family != "bart":  # its positions count columns, so its prompts are padded on the right
        torch.testing.assert_close(first_scores(model, left_ids, left_mask), together, atol=1e-5, rtol=1e-5)
    for user, length in enumerate(mask.sum(1).tolist()):
        alone = first_scores(model, ids[user : user + 1, :length], mask[user : user + 1, :length])
        torch.testing.assert_close(alone[0], together[user], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_search_scores_are_the_training_loss(family, checkpoint):
    model = build(checkpoint(family))
    batch, codes = examples(model)
    ids, mask = prompts(model)
    with model.decoding():
        scores = score_items(model, model.prefill(ids, mask), DeviceTrie(trie()), len(ids))
    items = torch.from_numpy(trie().find(codes.numpy())).long()
    of_targets = scores.gather(1, items[:, None]).mean()
    torch.testing.assert_close(-of_targets / len(SIZES), model(**batch).loss, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("family", "shared"), [("t5", HFSeq2SeqPredictor), ("llama", HFCausalPredictor)])
@torch.no_grad()
def test_one_row_a_beam_scores_like_beams_in_one_sequence(family, shared, checkpoint):
    model = build(checkpoint(family), tuning="full")
    ids, mask = prompts(model)
    first, second = (kind(model.lm, model.tokens.ids) for kind in (shared, HFRowsPredictor))
    both = [score_items(one, one.prefill(ids, mask), DeviceTrie(trie()), len(ids), rows=30) for one in (first, second)]
    torch.testing.assert_close(*both, atol=1e-4, rtol=1e-4)
    assert isinstance(model._make_predictor(), shared)


def test_families_without_shared_beams_are_decoded_by_rows(checkpoint):
    assert isinstance(build(checkpoint("bart"))._make_predictor(), HFRowsPredictor)


def test_code_rows_stand_in_the_vocabulary_only_while_decoding(checkpoint):
    model = build(checkpoint("llama"))
    fit(model, 2)
    inside = model.base.get_input_embeddings()
    table = inside.token_adapter.get_base_layer().weight
    ids, before = model.tokens.all_ids, table.detach().clone()
    with torch.no_grad(), model.decoding():
        assert not torch.equal(table[ids], before[ids])
    assert torch.equal(table, before)
    assert fit(model, 3)[0] > 0  # and training goes on


@pytest.mark.parametrize("family", ["t5", "llama", "bart"])
def test_a_model_that_stays_ready_is_prepared_once(family, checkpoint, tmp_path):
    model = build(checkpoint(family))
    fit(model, 2)
    model.eval()
    ids, mask = prompts(model)
    expected = first_scores(model, ids, mask)
    weights = {name: weight.clone() for name, weight in model.state_dict().items()}
    model.stays_ready = True
    for _ in range(2):
        assert torch.equal(first_scores(model, ids, mask), expected)
    predictor = model._predictor
    assert predictor is not None
    with torch.no_grad(), model.decoding():
        assert model._predictor is predictor
    for end in (model.end_decoding, model.train, lambda: model.save_pretrained(tmp_path / "saved"), model.merge):
        model.eval()
        first_scores(model, ids, mask)
        assert model._predictor is not None
        end()
        assert model._predictor is None
        if end != model.merge:
            assert all(torch.equal(weight, weights[name]) for name, weight in model.state_dict().items())
    torch.testing.assert_close(first_scores(model.eval(), ids, mask), expected, atol=1e-4, rtol=1e-4)


def test_nothing_stays_prepared_after_an_error(checkpoint):
    model = build(checkpoint("llama"))
    model.stays_ready = True
    fit(model, 2)
    model.eval()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    with pytest.raises(KeyboardInterrupt), torch.no_grad(), model.decoding():
        raise KeyboardInterrupt
    assert model._predictor is None
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


def test_frozen_code_rows_are_kept_beside_the_adapter(checkpoint, tmp_path):
    model = build(checkpoint("qwen3"), train_code_rows=False)
    before = tables(model)
    fit(model)
    assert torch.equal(tables(model)["input"], before["input"])
    model.save_pretrained(tmp_path / "model")
    ids, mask = prompts(model)
    torch.testing.assert_close(
        first_scores(load_model(tmp_path / "model"), ids, mask), first_scores(model, ids, mask), atol=0, rtol=0
    )


def test_layers_that_do_not_exist_are_named(checkpoint):
    with pytest.raises(ConfigError, match=r"'q_prj'[\s\S]*down_proj[\s\S]*q_proj"):
        build(checkpoint("llama"), lora={"target_modules": ["q_prj", "v_proj"]})
    with pytest.raises(ConfigError, match="peft refuses"):
        build(checkpoint("llama"), lora={"rank": 3})
    chosen = build(checkpoint("llama"), lora={"r": 2, "target_modules": ["q_proj"]})
    assert {name.split(".")[-4] for name, _ in chosen.named_parameters() if "lora_A" in name} == {"q_proj"}


def test_a_checkpoint_of_another_index_is_refused(checkpoint, tmp_path):
    model = build(checkpoint("qwen3"), tuning="full", index_fingerprint="first")
    model.save_pretrained(tmp_path / "model")
    with pytest.raises(ArtifactError, match=r"index first; this one is second"):
        build(tmp_path / "model" / "language_model", index_fingerprint="second")
    build(tmp_path / "model" / "language_model", index_fingerprint="first")


def test_an_adapter_on_other_weights_is_refused(checkpoint, tmp_path):
    model = build(checkpoint("qwen3"))
    model.save_pretrained(tmp_path / "model")
    with pytest.raises(ArtifactError, match="not the one that this adapter was trained on"):
        load_model(tmp_path / "model", checkpoint=str(checkpoint("llama")))


def test_the_loss_is_over_all_labels_of_all_micro_batches(checkpoint):
    model = build(checkpoint("llama"))
    batch, _ = examples(model)
    with torch.no_grad():
        whole = model(**batch).loss
        parts = [{name: value[rows] for name, value in batch.items()} for rows in (slice(0, 2), slice(2, 6))]
        total = int((batch["labels"] != -100).sum())
        torch.testing.assert_close(sum(model(**part, num_items_in_batch=total).loss for part in parts), whole)


def test_gradient_checkpointing_gives_the_same_gradients(checkpoint):
    gradients = []
    for checkpointing in (False, True):
        model = build(checkpoint("llama")).train()
        if checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        batch, _ = examples(model)
        model(**batch).loss.backward()
        gradients.append([value.grad for value in model.parameters() if value.grad is not None])
    assert len(gradients[0]) == len(gradients[1]) > 0
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)
