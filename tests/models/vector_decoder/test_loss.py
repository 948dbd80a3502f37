"""The loss over all items: its value and gradients, what counts as a target, what cannot be asked for."""

import pytest
import torch
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from genrec.models.vector_decoder import loss as loss_module
from genrec.models.vector_decoder.loss import Near, Wanted, find_wanted, item_loss


def wanted_of(histories, later=2, share=0.5):
    items = torch.tensor(histories)
    mask = items >= 0
    return find_wanted(items.clamp_min(0), mask, mask, later, share)


def test_targets_are_the_next_items_that_the_user_did_not_have():
    wanted = wanted_of([[3, 5, 3, 7, -1]])
    assert wanted.places.tolist() == [0, 2]  # after 5 comes 3, which the user had
    found = list(zip(wanted.row.tolist(), wanted.item.tolist(), wanted.weight.tolist(), strict=True))
    assert found == [(0, 5, 1.0), (1, 7, 1.0)]
    assert wanted.hidden_item.tolist() == [3, 3, 5, 3]


def test_later_items_count_less_and_weights_add_up_to_one():
    wanted = wanted_of([[0, 1, 2, 3]])
    assert wanted.item.tolist() == [1, 2, 2, 3, 3]
    torch.testing.assert_close(wanted.weight, torch.tensor([2 / 3, 1 / 3, 2 / 3, 1 / 3, 1.0]))


def test_padding_on_either_side_asks_for_the_same():
    right, left = wanted_of([[0, 1, 2, -1]]), wanted_of([[-1, 0, 1, 2]])
    assert (right.places + 1).tolist() == left.places.tolist()
    assert right.item.tolist() == left.item.tolist()
    assert right.hidden_item.tolist() == left.hidden_item.tolist()


@pytest.mark.parametrize("block", [256, 4, 1])
def test_loss_and_gradients_are_those_of_a_plain_softmax(block, monkeypatch):
    monkeypatch.setattr(loss_module, "_ROWS", block)
    torch.manual_seed(0)
    histories = torch.tensor([[0, 1, 2, 3], [4, 5, -1, -1], [2, 6, 1, 7]])
    wanted = wanted_of(histories.tolist())
    n, n_items = len(wanted.places), 9
    leaves = [torch.randn(*shape, requires_grad=True) for shape in ((n, 4), (2, 3, 4, 4), (n_items, 4), (n_items,))]
    learned, mixed, table, bias = leaves
    kinds = [torch.randn(n_items, n_items) for _ in range(2)]
    found_items, place = histories.clamp_min(0).unique(return_inverse=True)
    near = Near([one[found_items] for one in kinds], place)
    loss = item_loss(learned, mixed, table, bias, near, wanted, 0.0)
    found = torch.autograd.grad(loss, leaves)
    around = sum(mixed[kind] @ kinds[kind][histories.clamp_min(0)] for kind in range(2))
    scores = learned @ table.T + around.flatten(0, 1)[wanted.places] + bias
    scores = scores.index_put((wanted.hidden_row, wanted.hidden_item), torch.tensor(-1e4))
    picked = F.log_softmax(scores, 1)[wanted.row, wanted.item]
    plain = -(wanted.weight * picked).sum() / n
    torch.testing.assert_close(loss, plain)
    for mine, theirs in zip(found, torch.autograd.grad(plain, leaves), strict=True):
        torch.testing.assert_close(mine, theirs)


class Shapes(TorchDispatchMode):
    """Notes shapes of products."""

    def __init__(self):
        super().__init__()
        self.seen = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function in (torch.ops.aten.mm.default, torch.ops.aten.bmm.default):
            self.seen.add((str(function), *(tuple(one.shape) for one in args)))
        return function(*args, **kwargs or {})


def test_products_have_few_shapes_however_many_ask(monkeypatch):
    monkeypatch.setattr(loss_module, "_ROWS", 64)
    torch.manual_seed(0)
    rows = torch.randn(30, 30)
    shapes, asked = Shapes(), set()
    for users in range(1, 33):  # of four items, some of which ask for nothing
        histories = torch.stack([torch.randperm(30)[:4] for _ in range(users)])
        mask = torch.rand(users, 4) < 0.8
        wanted = find_wanted(histories, mask, mask, 2, 0.5)
        near = Near([rows], histories)
        asked.add(len(wanted.places))
        with shapes:
            item_loss(
                torch.randn(len(wanted.places), 8), torch.randn(1, users, 4, 4), rows[:, :8], rows[0], near, wanted, 0.1
            )
    assert len(asked) > 20
    assert len(shapes.seen) <= 5 * loss_module._SIZES


def test_a_sample_of_items_keeps_targets_and_forgets_what_it_lacks():
    wanted = wanted_of([[0, 4, 8]])
    among = wanted.among(torch.tensor([1, 4, 8]))
    assert isinstance(among, Wanted)
    assert among.item.tolist() == [1, 2, 2]
    assert among.hidden_item.tolist() == [1]
