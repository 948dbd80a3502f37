"""Post-training of language models with LoRA: the adapter alone is learned, copied and put back."""

import pytest
import torch
from language_support import build, catalogue, prompts, save_checkpoint, trie

from genrec.config import parse
from genrec.training.objectives.grpo import GRPO, GRPOSettings
from genrec.training.policy.distribution import ItemDistribution
from genrec.training.policy.frozen import FrozenWeights
from genrec.training.policy.monitor import Monitor
from genrec.training.policy.rewards import hit

pytest.importorskip("peft")


@pytest.fixture(scope="module", params=["qwen3", "t5"])
def model(request, tmp_path_factory):
    return build(save_checkpoint(tmp_path_factory.mktemp("lm") / request.param, request.param))


def ready(model, **settings):
    """GRPO around a network that was not made by a run."""
    made = GRPO(parse(GRPOSettings, settings))
    made.model, made.distribution = model, ItemDistribution(model, trie())
    made.monitor, made.start, made._fresh = Monitor(30), FrozenWeights(model), 0
    made.rewards = lambda offer: (hit(offer), {"hit": hit(offer)})
    return made


def batch(model, users=3):
    ids, mask = prompts(model, users)
    history = torch.full((users, 1), 2)
    return {
        "inputs": {"input_ids": ids, "attention_mask": mask},
        "targets": torch.tensor([4, 9, 1]),
        "history": history,
    }


def test_probabilities_are_those_of_the_plain_likelihood_among_legal_codes(model):
    distribution, inputs = ItemDistribution(model, trie()), batch(model)["inputs"]
    everything = distribution.of_all(model, inputs)
    assert everything.shape == (3, len(catalogue()))
    torch.testing.assert_close(everything.exp().sum(1), torch.ones(3))
    some = distribution.of_items(model, inputs, torch.tensor([[4, 1], [9, 2], [1, 0]])).sum(-1)
    torch.testing.assert_close(some[:, 0], everything[torch.arange(3), [4, 9, 1]], atol=1e-4, rtol=1e-4)


def test_only_the_adapter_is_learned_and_copied(model):
    objective = ready(model, kl=0.1, rollouts={"group": 6, "include_target": True})
    assert all("lora_" in name or "trainable_tokens" in name for name in objective.start.weights)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    optimizer = torch.optim.Adam([value for value in model.parameters() if value.requires_grad], lr=0.05)
    target = batch(model)["targets"]
    shares = []
    for _ in range(12):
        optimizer.zero_grad()
        objective.loss(lambda inputs: model(**inputs), batch(model)).loss.backward()
        optimizer.step()
        with torch.no_grad():
            everything = objective.distribution.of_all(model, batch(model)["inputs"])
        shares.append(float(everything.exp()[torch.arange(3), target].mean()))
    assert shares[-1] > 2 * shares[0]
    assert objective.figures()["kl"] > 0
    changed = {name for name, value in model.named_parameters() if not torch.equal(value, before[name])}
    assert changed
    assert changed <= set(objective.start.weights)
    with objective.at_start():
        assert all(torch.equal(value, before[name]) for name, value in model.named_parameters())
    assert {name for name, value in model.named_parameters() if not torch.equal(value, before[name])} == changed


@pytest.mark.parametrize(("architecture", "family"), [("item-head", "qwen3"), ("candidate-set", "llama")])
@pytest.mark.parametrize("method", ["beam", "gumbel", "sample"])
def test_networks_that_score_all_items_are_asked_for_their_scores(architecture, family, method, tmp_path):
    model = build(save_checkpoint(tmp_path / family, family), architecture)
    if architecture == "candidate-set":
        titles = [
            f"{colour} {kind} {n}" for colour in ("red", "blue") for kind in ("cup", "tea", "tent") for n in range(5)
        ]
        model.set_titles([[*model.tokenizer(title)["input_ids"], 1] for title in titles])
    objective = ready(model, kl=0.1, rollouts={"group": 4, "method": method, "include_target": True})
    objective.loss(lambda inputs: model(**inputs), batch(model)).loss.backward()
    gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
    assert all(torch.isfinite(one).all() for one in gradients)
    assert max(float(one.abs().max()) for one in gradients) > 0
