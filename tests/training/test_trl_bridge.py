"""The bridge to TRL, with the installed trl.GRPOTrainer and a tiny decoder."""

import os

import numpy as np
import pytest
import torch
from networks import tiny_index
from transformers import LlamaConfig, LlamaForCausalLM

from genrec.data.histories import Histories
from genrec.errors import DataError
from genrec.training.policy.rewards import Rewards, RewardSettings
from genrec.training.trl_bridge import CatalogRewards, CatalogRollouts

SIZES, WORDS = (4, 5, 6), 20
TOKENS = [list(range(WORDS, 24)), list(range(24, 29)), list(range(29, 35))]
EOS = 1


def decoder():
    torch.manual_seed(0)
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = LlamaConfig(vocab_size=35, eos_token_id=EOS, pad_token_id=0, bos_token_id=None, **small)
    return LlamaForCausalLM(config)


@pytest.mark.parametrize("method", ["sample", "gumbel", "beam"])
def test_completions_are_items_and_groups_are_distinct(method):
    rollouts = CatalogRollouts(tiny_index().trie, TOKENS, method=method)
    drawn = rollouts.draw(decoder(), [[3, 4, 5], [6, 7]], 8)
    assert drawn.shape == (2, 8)
    assert ((drawn >= 0) & (drawn < 60)).all()
    if method != "sample":
        assert all(len(set(row.tolist())) == 8 for row in drawn)


def test_tokens_are_read_back_as_items():
    index = tiny_index()
    rollouts = CatalogRollouts(index.trie, TOKENS)
    written = [[TOKENS[level][code] for level, code in enumerate(codes)] for codes in index.codes]
    assert rollouts.items(written).tolist() == list(range(60))
    assert rollouts.items([[*written[3], EOS], [EOS], [written[0][0], 2, 2]]).tolist() == [3, -1, -1]


def test_rewards_of_completions():
    index = tiny_index()
    rollouts = CatalogRollouts(index.trie, TOKENS)
    written = [[TOKENS[level][code] for level, code in enumerate(index.codes[item])] for item in (7, 9, 9)]
    train = Histories.from_lists([[1, 2], [2, 3]])
    rewards = CatalogRewards(Rewards([RewardSettings(name="hit")], index, train), rollouts, index.item_ids)
    assert rewards(["a", "a", "b"], ["", "", ""], written, target=["i7", "i7", "i9"]) == [1, 0, 1]
    with pytest.raises(DataError, match="'x' is not in the catalogue"):
        rewards(["a"], [""], written[:1], target=["x"])


def test_trl_learns_a_bandit_through_the_bridge(tmp_path, monkeypatch):
    """Every completion is an item, and the one that is rewarded becomes the likeliest."""
    trl = pytest.importorskip("trl", reason="pip install genrec[rl]")
    from datasets import Dataset
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    monkeypatch.setitem(os.environ, "TRL_EXPERIMENTAL_SILENCE", "1")
    words = {name: n for n, name in enumerate(["<pad>", "<eos>", "<unk>", *(f"w{n}" for n in range(3, 35))])}
    plain = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    plain.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=plain, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>")
    index, model = tiny_index(), decoder()
    rollouts = CatalogRollouts(index.trie, TOKENS, method="sample", eos_token_id=EOS)
    rewards = Rewards([RewardSettings(name="prefix")], index, Histories.from_lists([[1, 2]]))
    rows = Dataset.from_dict({"prompt": ["w3 w4", "w5"] * 8, "target": ["i17"] * 16})
    arguments = trl.GRPOConfig(
        output_dir=str(tmp_path),
        per_device_train_batch_size=16,
        num_generations=8,
        max_completion_length=4,
        max_steps=12,
        learning_rate=0.02,
        report_to="none",
        save_strategy="no",
        logging_steps=1,
        disable_tqdm=True,
        use_cpu=True,
    )
    trainer = trl.GRPOTrainer(
        model,
        reward_funcs=[CatalogRewards(rewards, rollouts, index.item_ids)],
        args=arguments,
        train_dataset=rows,
        processing_class=tokenizer,
        rollout_func=rollouts,
    )
    trainer.train()
    logs = [entry for entry in trainer.state.log_history if "reward" in entry]
    assert np.mean([one["reward"] for one in logs[-3:]]) > np.mean([one["reward"] for one in logs[:3]]) + 0.2
    assert all(one["completions/clipped_ratio"] == 0 for one in logs)
    assert int(CatalogRollouts(index.trie, TOKENS, method="beam").draw(model, [[3, 4]], 1)[0, 0]) >= 0
