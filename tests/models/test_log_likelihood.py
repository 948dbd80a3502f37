"""Every network says how likely each example of a batch is: what objectives compare examples by."""

import pytest
import torch
from language_support import SIZES, build, examples, save_checkpoint, trie

from genrec.errors import ConfigError
from genrec.models import NETWORKS, network
from genrec.models.base import CodeModel
from genrec.models.outputs import CodeModelOutput


def halves(batch):
    """The rows one by one."""
    return [{name: value[row : row + 1] for name, value in batch.items()} for row in range(len(batch["input_ids"]))]


def of_codes(users=3, items=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    codes = torch.stack([torch.randint(0, size, (users, items), generator=generator) for size in SIZES], dim=-1)
    mask = torch.ones(users, items, dtype=torch.bool)
    mask[1, 3:] = False
    return codes, mask


def test_it_is_a_sum_over_the_targets_of_every_example(architecture, tiny_model):
    model = tiny_model(architecture, SIZES, label_smoothing=0.1)
    codes, mask = of_codes()
    together = model(codes, mask)
    torch.testing.assert_close(-together.log_likelihood.sum() / together.n_targets, together.loss)
    for row in range(3):
        alone = model.log_likelihood({"codes": codes[row : row + 1], "mask": mask[row : row + 1]})
        torch.testing.assert_close(alone[0], together.log_likelihood[row], atol=1e-4, rtol=1e-4)


def test_it_says_what_every_target_was_predicted_from(architecture, tiny_model):
    """The state before a target knows what came before it, and nothing of the target itself."""
    model = tiny_model(architecture, SIZES)
    codes, mask = of_codes()
    output = model(codes, mask)
    states, targets, rows = (output.need(name) for name in ("states", "targets", "rows"))
    assert len(states) == len(targets) == len(rows) == int(output.n_targets)
    for row in range(3):
        last = int(mask[row].sum()) - 1
        mine = (rows == row).nonzero()[:, 0]
        assert torch.equal(targets[mine[-1]], codes[row, last])
        changed = codes.clone()
        changed[row, last] = (changed[row, last] + 1) % torch.tensor(SIZES)
        torch.testing.assert_close(model(changed, mask).states[mine[-1]], states[mine[-1]])
        changed = codes.clone()
        changed[row, last - 1] = (changed[row, last - 1] + 1) % torch.tensor(SIZES)
        assert not torch.allclose(model(changed, mask).states[mine[-1]], states[mine[-1]])


def test_what_a_network_does_not_give_is_said():
    with pytest.raises(ConfigError, match="needs the states"):
        CodeModelOutput().need("states")


@pytest.mark.parametrize("architecture", ["item-decoder", "decoder"])
def test_label_smoothing_is_no_part_of_it(architecture, tiny_model):
    codes, mask = of_codes()
    plain = tiny_model(architecture, SIZES, dropout=0.0)
    smooth = tiny_model(architecture, SIZES, dropout=0.0, label_smoothing=0.2).train()
    torch.testing.assert_close(smooth(codes, mask).log_likelihood, plain(codes, mask).log_likelihood)
    assert not torch.isclose(smooth(codes, mask).loss, plain(codes, mask).loss)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    ("kind", "family"),
    [("language-model", "llama"), ("language-model", "t5"), ("text-encoder", "bert"), ("item-head", "llama")],
)
def test_language_models_say_it_of_every_prompt(kind, family, masked, tmp_path):
    model = build(save_checkpoint(tmp_path / family, family), kind)
    model.prepare(trie(), trie_masked_loss=masked)
    batch, codes = examples(model)
    output = model(**batch)
    assert output.log_likelihood.shape == (len(codes),)
    alone = torch.cat([model.log_likelihood(one) for one in halves(batch)])
    torch.testing.assert_close(output.log_likelihood, alone, atol=1e-4, rtol=1e-4)
    over = codes.numel() if kind == "language-model" else len(codes)
    torch.testing.assert_close(-output.log_likelihood.sum() / over, output.loss)


def test_networks_are_found_by_name_in_their_own_files():
    assert {"item-decoder", "decoder", "seq2seq", "recgpt", "language-model", "text-encoder", "item-head"} <= {
        *NETWORKS
    }
    for name in ("item-decoder", "decoder", "seq2seq", "recgpt", "language-model", "text-encoder", "item-head"):
        assert NETWORKS[name].config_class.model_type == f"genrec-{name}"


def test_a_network_of_somebody_else_takes_a_name(monkeypatch):
    monkeypatch.setattr(NETWORKS, "_known", dict(NETWORKS._known))

    @network("mine")
    class Mine(CodeModel):
        """Nothing of its own."""

    assert "mine" in NETWORKS
    assert NETWORKS["mine"] is Mine
