"""A text encoder with a code decoder, and the item projection head."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from language_support import SIZES, build, catalogue, examples, first_scores, fit, prompts, save_checkpoint, trie

from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.exact import score_items
from genrec.decoding.options import DecodingOptions
from genrec.decoding.search import search
from genrec.errors import ArtifactError
from genrec.models import load_model

pytest.importorskip("peft")
KINDS = [("text-encoder", "bert"), ("text-encoder", "t5"), ("item-head", "llama"), ("item-head", "bert")]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lm")
    return {family: save_checkpoint(folder / family, family) for family in ("bert", "t5", "llama")}


@pytest.mark.parametrize(("architecture", "family"), KINDS)
@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_they_learn_and_are_saved(architecture, family, tuning, checkpoint, tmp_path):
    model = build(checkpoint[family], architecture, tuning=tuning)
    losses = fit(model)
    assert losses[-1] < losses[0] - 0.02
    model(**examples(model)[0]).loss.backward()
    without = [name for name, value in model.named_parameters() if value.requires_grad and value.grad is None]
    assert without == []  # several processes wait for the gradient of every trained weight
    model.save_pretrained(tmp_path / "model")
    again = load_model(tmp_path / "model")
    again.prepare(trie(), trie_masked_loss=False)
    batch, codes = examples(model)
    ids, mask = prompts(model)
    with torch.no_grad(), model.decoding():
        torch.testing.assert_close(again(**batch).loss, model(**batch).loss, atol=0, rtol=0)
        scores = score_items(model, model.prefill(ids, mask), DeviceTrie(trie()), len(ids))
        items = torch.from_numpy(trie().find(codes.numpy())).long()
        of_targets = scores.gather(1, items[:, None]).mean()
        torch.testing.assert_close(-of_targets, model(**batch).loss, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("architecture", "family"), KINDS)
def test_padding_and_batch_do_not_change_a_user(architecture, family, checkpoint):
    model = build(checkpoint[family], architecture)
    ids, mask = prompts(model)

    def scores(ids, mask):
        if architecture == "text-encoder":
            return first_scores(model, ids, mask)
        with torch.no_grad():
            return model.prefill(ids, mask).scores

    together = scores(ids, mask)
    for user, length in enumerate(mask.sum(1).tolist()):
        alone = scores(ids[user : user + 1, :length], mask[user : user + 1, :length])
        torch.testing.assert_close(alone[0], together[user], atol=1e-5, rtol=1e-5)


def test_scores_of_items_go_through_the_same_search(checkpoint):
    model = build(checkpoint["llama"], "item-head")
    ids, mask = prompts(model)
    with torch.no_grad():
        state = model.prefill(ids, mask)
        allowed = np.arange(30) % 2 == 0
        part = DeviceTrie(trie().restrict(allowed))
        forbidden = torch.tensor([[0, 2], [4, -1], [-1, -1], [6, 8], [10, 12], [14, 28]])
        found, scores = search(model, state, part, 6, 20, DecodingOptions(), forbidden=forbidden)
    logits = state.scores.log_softmax(-1)
    for user in range(6):
        may = [n for n in range(0, 30, 2) if n not in forbidden[user].tolist()]
        best = sorted(may, key=lambda n: -float(logits[user, n]))
        got = found[user][found[user] >= 0].tolist()
        assert got == best
        torch.testing.assert_close(scores[user][: len(best)], logits[user][best])
    shares = score_items(model, state, part, 6, normalize="children")
    torch.testing.assert_close(shares.exp().sum(1), torch.ones(6))
    with pytest.raises(TypeError, match="at once"):
        model.step(state)
    with pytest.raises(ArtifactError, match="30 items, the index has 31"):
        model.check_items(31)


def test_the_restricted_loss_of_a_code_decoder(checkpoint):
    model = build(checkpoint["bert"], "text-encoder")
    batch, _ = examples(model)
    with torch.no_grad():
        everything = float(model(**batch).loss)
        model.prepare(trie(), trie_masked_loss=True)
        assert float(model(**batch).loss) < everything


def test_tasks_with_text_answers_are_refused(checkpoint):
    import polars as pl

    from genrec.data import Catalog
    from genrec.data.histories import Histories
    from genrec.errors import ConfigError
    from genrec.generative.config import TrainConfig, load_train_config

    config: TrainConfig = load_train_config(
        "llm-seq2seq-lora", ["model.architecture=text-encoder", "tasks=[{prompt: next-item}, {prompt: id-to-title}]"]
    )
    items = Catalog.from_frame(pl.DataFrame({"item_id": [str(n) for n in range(30)], "title": ["cup"] * 30}))
    index = SimpleNamespace(codes=catalogue(), codebook_sizes=SIZES, catalog=items)
    model = build(checkpoint["bert"], "text-encoder")
    with pytest.raises(ConfigError, match="id-to-title"):
        model.training_batches(index, Histories.from_lists([[0, 1]]), config)
