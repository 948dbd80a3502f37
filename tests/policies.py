"""Objectives of post-training around tiny networks, without a trainer."""

import numpy as np
import torch
from networks import NETWORKS, network, tiny_index

from genrec.data.histories import Histories
from genrec.generative.config import TrainConfig
from genrec.models.history_batches import UserRow
from genrec.training.objectives import build_objective

TRAIN = Histories.from_lists([[3, 7, 1, 9], [12, 40, 33], [5, 5, 2]])


def objective_for(kind, model=None, train=TRAIN, index=None, **settings):
    """An objective that is ready, its network in evaluation mode, and the collator of its batches."""
    index = tiny_index() if index is None else index
    torch.manual_seed(0)
    model = (network(kind) if model is None else model).bind(index).eval()
    config = TrainConfig.model_validate({"model": {"item_vectors": bool(NETWORKS.get(kind, {}).get("vector_dim"))}})
    objective = build_objective(settings)
    objective.prepare(model, index, config)
    batches = objective.batches(model, index, train, config)
    return objective, model, batches.collate


def undecided(kind):
    """A network that has no strong opinion yet, so that it can be taught in a few steps."""
    torch.manual_seed(0)
    model = network(kind)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("output_table.weight"):
                weight.mul_(0.05)
    return model


def rows(collate, history, target, n=1):
    """A batch of one example, ``n`` times."""
    return collate([UserRow(0, np.array([*history, target], dtype=np.int32))] * n)


def gradient(objective, model, batch):
    """Loss and gradient, all weights in one vector."""
    model.zero_grad()
    loss = objective.loss(lambda inputs: model(**inputs), batch).loss
    loss.backward()
    found = [value.grad.flatten() for value in model.parameters() if value.grad is not None]
    return float(loss.detach()), torch.cat(found)


def apart(one, other):
    """Distance of two gradients, as a share of the second."""
    return float((one - other).norm() / other.norm())


FAVOURITE = 17


def favourite(items, targets, histories):
    """A reward of one's own: one item is worth something. All it sees are ids."""
    assert all(isinstance(one, str) for one in [items[0, 0], targets[0], histories[0][0]])
    return (items == f"i{FAVOURITE}").astype(float)


def learn(objective, model, batch, steps=25, rate=0.05):
    """Plain steps of Adam, as the trainer takes them."""
    optimizer = torch.optim.Adam([value for value in model.parameters() if value.requires_grad], lr=rate)
    for step in range(steps):
        objective.begin_step(step)
        optimizer.zero_grad()
        objective.loss(lambda inputs: model(**inputs), batch).loss.backward()
        optimizer.step()
    return objective.distribution.of_all(model.eval(), batch["inputs"])[0].exp().detach()
