"""Fast products of RecGPT: values and gradients of the plain formulas."""

import pytest
import torch

from genrec.models.quick_training import has_bfloat16
from genrec.models.recgpt.parts import Candidates, TextPooling, item_likelihood
from genrec.models.recgpt.products import log_mass, quick_product


def plain(queries, right, codes, candidates, hidden):
    """The likelihood as its definition says, in float64."""
    logits = queries.flatten(1) @ candidates.vectors.double().flatten(1).T
    same = (codes[:, None] == candidates.codes[None]).all(2)
    logits = logits.masked_fill(same, -torch.inf)
    if hidden is not None:
        logits[hidden[0], hidden[1]] = -torch.inf
    target = (queries * right.double()).sum((1, 2))
    return target - torch.logaddexp(target, logits.logsumexp(1))


def example(n, candidates, dim, hide):
    made = torch.Generator().manual_seed(n)
    codes = torch.randint(0, 3, (candidates, 2), generator=made)
    others = Candidates(torch.randn(candidates, 2, dim, generator=made), codes)
    queries, right = (torch.randn(n, 2, dim, generator=made) / dim**0.5 for _ in range(2))
    hidden = torch.stack([torch.randint(0, size, (4,), generator=made) for size in (n, candidates)])
    hidden = torch.cat([hidden, hidden[:, :2]], dim=1)  # twice is as good as once
    return queries, right, codes[torch.randint(0, candidates, (n,), generator=made)], others, hidden if hide else None


@pytest.mark.parametrize("hide", [False, True])
@pytest.mark.parametrize(("n", "candidates", "dim"), [(5, 7, 4), (40, 700, 64)])
@pytest.mark.parametrize("rounded", [False, True])
def test_item_likelihood_and_its_gradient_are_those_of_the_definition(n, candidates, dim, hide, rounded):
    queries, right, codes, others, hidden = example(n, candidates, dim, hide)
    fast, exact = queries.clone().requires_grad_(), queries.double().requires_grad_()
    found = item_likelihood(fast, right, codes, others, hidden, rounded=rounded)
    wanted = plain(exact, right, codes, others, hidden)
    torch.testing.assert_close(found.double(), wanted, atol=1e-5, rtol=1e-5)
    weights = torch.linspace(-1, 1, n)
    (found * weights).sum().backward()
    (wanted * weights).sum().backward()
    tolerance = 1e-2 if rounded and has_bfloat16() else 1e-5
    torch.testing.assert_close(fast.grad.double(), exact.grad, atol=tolerance, rtol=0)


def test_a_target_with_nothing_to_be_told_apart_from_is_certain():
    queries = torch.randn(2, 1, 3, requires_grad=True)
    others = Candidates(torch.randn(2, 1, 3), torch.tensor([[1], [1]]))
    found = item_likelihood(queries, torch.randn(2, 1, 3), torch.tensor([[1], [0]]), others, None)
    assert found[0] == 0
    assert found[1] < 0
    found.sum().backward()
    assert torch.isfinite(queries.grad).all()
    assert (queries.grad[0] == 0).all()


def test_what_needs_gradients_of_the_others_or_other_numbers_gets_them():
    made = torch.Generator().manual_seed(0)
    queries, others = torch.randn(3, 4, generator=made), torch.randn(5, 4, generator=made)
    pairs = torch.tensor([[0, 2], [1, 4]])
    wanted = log_mass(queries, others, pairs)
    both = others.clone().requires_grad_()
    torch.testing.assert_close(log_mass(queries, both, pairs), wanted)
    log_mass(queries, both, pairs).sum().backward()
    assert (both.grad != 0).any()
    torch.testing.assert_close(log_mass(queries.double(), others.double(), pairs).float(), wanted)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert quick_product(queries, others.T).dtype == torch.bfloat16


def test_quick_product_has_the_gradients_of_a_product():
    made = torch.Generator().manual_seed(0)
    rows, weight = torch.randn(3, 100, 64, generator=made), torch.randn(64, 96, generator=made)
    grads = []
    for multiply in (quick_product, torch.matmul):
        given = [one.clone().requires_grad_() for one in (rows, weight)]
        result = multiply(*given)
        (result * torch.linspace(0, 1, 96)).sum().backward()
        grads.append([result.detach(), *(one.grad for one in given)])
    for found, wanted in zip(*grads, strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-3, rtol=1e-4)


def test_pooling_of_some_places_is_that_of_all_places():
    torch.manual_seed(0)
    pooling = TextPooling(8, 2, 3, 5)
    torch.nn.init.normal_(pooling.metric, std=0.3)
    hidden, vectors = torch.randn(2, 4, 2, 8), torch.randn(2, 4, 2, 5)
    position = torch.arange(4).expand(2, 4)
    seen = (position[:, None, :] <= position[:, :, None]).clone()
    everything = pooling(hidden, vectors, seen, position, torch.ones(2, 4, dtype=torch.bool)).view(2, 4, 2, 5)
    some = torch.tensor([[True, False, False, True], [False, True, False, False]])
    torch.testing.assert_close(pooling(hidden, vectors, seen, position, some), everything[some])
    newest = torch.arange(2), torch.tensor([3, 1])
    torch.testing.assert_close(pooling(hidden, vectors, seen, position, newest), everything[newest])
