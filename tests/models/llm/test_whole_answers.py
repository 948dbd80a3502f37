"""An encoder-decoder of transformers on whole histories: as on every part of the prompt, and as in decoding."""

import numpy as np
import pytest
import torch
from language_support import SIZES, build, catalogue, pad, save_checkpoint, trie
from transformers import NllbMoeConfig, NllbMoeForConditionalGeneration

from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.exact import score_items
from genrec.models.hf.item_causal import item_order, reads_item_causally
from genrec.models.hf.whole_rows import own_logits
from genrec.models.llm import whole_answers
from genrec.models.llm.readers import WAYS

LEVELS = len(SIZES)


@pytest.fixture(params=["t5", "bart"])
def model(request, tmp_path):
    return build(save_checkpoint(tmp_path / request.param, request.param), history_attention="item-causal")


def batch(model, text=False):
    """Prompts of one to four items between words, with all but the oldest item and one more as labels."""
    rng = np.random.default_rng(0)
    rows = [catalogue()[rng.integers(0, 30, n)] for n in (3, 2, 5)]
    words = model.tokenizer("A user chose", add_special_tokens=False)["input_ids"]
    comma = model.tokenizer(",", add_special_tokens=False)["input_ids"]
    inputs, labels = [], []
    for row in rows:
        ids = model.tokens.ids_of(row)
        inputs.append([*words, *(token for one in ids[:-1] for token in [*one, *comma])])
        labels.append(ids[1:].ravel().tolist())
    if text:
        inputs.append([*words, *model.tokens.ids_of(rows[0][:1]).ravel()])
        labels.append(model.tokenizer("red cup", add_special_tokens=False)["input_ids"])
    mask = pad([[1] * len(row) for row in inputs], 0)
    return {"input_ids": pad(inputs, 0), "attention_mask": mask, "labels": pad(labels, -100)}


def part_likelihood(model, ids, answer):
    """Log-probability of an answer after the beginning of a prompt, by the model's own forward."""
    ids, answer = ids[None], answer[None]
    logits = own_logits(model.base, ids, torch.ones_like(ids), answer, whole_answers.order_of(ids, model.tokens.ids))
    return logits[0, :-1].log_softmax(-1).gather(-1, answer[0][:, None]).sum()


@pytest.mark.parametrize("text", [False, True])
@torch.no_grad()
def test_one_reading_gives_the_sum_over_all_parts_of_a_prompt(model, text):
    given = batch(model, text)
    found = model(**given)
    first = torch.as_tensor(model.tokens.ids[0])
    for row in range(len(given["labels"])):
        ids = given["input_ids"][row][given["attention_mask"][row].bool()]
        labels = given["labels"][row][given["labels"][row] != -100]
        order = item_order(ids[None], first)[0]
        if text and row == 3:
            expected = part_likelihood(model, ids, labels)
        else:
            answers = labels.view(-1, LEVELS)
            newest = int(order.max())
            expected = sum(
                part_likelihood(model, ids[order <= newest - len(answers) + 1 + n], one)
                for n, one in enumerate(answers)
            )
        torch.testing.assert_close(found.log_likelihood[row], expected, atol=2e-4, rtol=1e-5)
    assert int(found.n_targets) == int((given["labels"] != -100).sum())


@torch.no_grad()
def test_rows_of_a_t5_are_those_of_its_own_decoder(tmp_path, monkeypatch):
    model = build(save_checkpoint(tmp_path / "t5", "t5"), history_attention="item-causal")
    given = batch(model, text=True)
    quick = model(**given).log_likelihood
    monkeypatch.setattr(whole_answers, "T5_FAMILY", ())
    torch.testing.assert_close(model(**given).log_likelihood, quick, atol=2e-4, rtol=1e-5)
    model.config.own_logits = True
    torch.testing.assert_close(model(**given).log_likelihood, quick, atol=2e-4, rtol=1e-5)


@torch.no_grad()
def test_every_way_of_decoding_says_what_training_says(model):
    given = batch(model)
    items = DeviceTrie(trie())
    prompts = {name: given[name] for name in ("input_ids", "attention_mask")}
    targets = torch.as_tensor(catalogue()[:5]).long()
    expected = []
    for item in targets:
        labels = torch.as_tensor(model.tokens.ids_of(item.numpy())).expand(3, -1)
        expected.append(model(**prompts, labels=labels).log_likelihood)
    for way in WAYS:
        if way == "shared" and model.base.config.model_type == "bart":
            continue
        model.config.decoding = way
        with model.decoding():
            scores = score_items(model, model.prefill(**prompts), items, 3)
        torch.testing.assert_close(scores[:, :5], torch.stack(expected, dim=1), atol=3e-4, rtol=1e-5, msg=way)


def test_a_step_trains_what_is_trainable_and_padding_changes_nothing(model):
    given = batch(model)
    model.train()
    loss = model(**given).loss
    loss.backward()
    moved = [name for name, weight in model.named_parameters() if weight.requires_grad and weight.grad is not None]
    assert any("encoder" in name and "lora_B" in name for name in moved)
    assert any("decoder" in name and "lora_B" in name for name in moved)
    wider = {
        "input_ids": torch.nn.functional.pad(given["input_ids"], (0, 3)),
        "attention_mask": torch.nn.functional.pad(given["attention_mask"], (0, 3)),
        "labels": torch.nn.functional.pad(given["labels"], (0, 3), value=-100),
    }
    torch.testing.assert_close(model(**wider).loss, loss)


def test_whether_an_encoder_takes_the_mask_is_tried(model, tmp_path, monkeypatch):
    assert reads_item_causally(model.base)
    encoder = type(model.base.get_encoder())
    plain = encoder.forward
    monkeypatch.setattr(
        encoder,
        "forward",
        lambda self, input_ids, attention_mask: plain(self, input_ids=input_ids, attention_mask=None),
    )
    assert not reads_item_causally(model.base)
    decoder = build(save_checkpoint(tmp_path / "llama", "llama"))
    assert not reads_item_causally(decoder.base)


@pytest.mark.parametrize("family", ["t5", "bart"])
@torch.no_grad()
def test_a_model_in_bfloat16_says_nearly_the_same(family, tmp_path):
    folder, found = save_checkpoint(tmp_path / family, family), []
    for dtype in ("float32", "bfloat16"):
        model = build(folder, history_attention="item-causal", source={"dtype": dtype}).train()
        assert model.base.dtype == getattr(torch, dtype)
        found.append(model(**batch(model)).loss.float())
    assert torch.isfinite(found[1])
    torch.testing.assert_close(found[1], found[0], atol=0.1, rtol=0.05)


def test_a_model_that_asks_how_experts_were_chosen_reads_whole_histories():
    """NLLB-MoE takes router_logits from what its encoder gave, and its encoder leaves them out."""
    torch.manual_seed(0)
    sizes = {"d_model": 16, "encoder_layers": 2, "decoder_layers": 2, "num_experts": 2, "vocab_size": 40}
    heads = {f"{part}_attention_heads": 2 for part in ("encoder", "decoder")}
    widths = {f"{part}_ffn_dim": 16 for part in ("encoder", "decoder")}
    settings = NllbMoeConfig(**sizes, **heads, **widths, encoder_sparse_step=2, decoder_sparse_step=2)
    base = NllbMoeForConditionalGeneration(settings).eval()
    ids, answer = torch.randint(4, 40, (2, 6)), torch.randint(4, 40, (2, 3))
    with torch.no_grad():
        plain = own_logits(base, ids, torch.ones_like(ids), answer)
        one_item = own_logits(base, ids, torch.ones_like(ids), answer, torch.zeros_like(ids))
    torch.testing.assert_close(one_item, plain, atol=1e-5, rtol=0)
