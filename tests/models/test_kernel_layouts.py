"""Compiled layers give the same bits wherever their arrays lie: LLVM has several loops, and picks by distance."""

import numpy as np
import pytest

from genrec.models import attention_kernels, layer_kernels

F, EPSILON = np.float32, np.float32(1e-6)
CHANCES = np.uint32(3), np.uint32(5), np.uint32(2**30), F(1.3)


def laid(arrays, rng):
    """Copies in one block of memory, in any order, with gaps between them that tensors have: multiples of 64 bytes."""
    sizes = [-(-one.size // 16) * 16 for one in arrays]
    block = np.zeros(sum(sizes) + 16 * (12 * len(arrays) + 1), F)
    at, views = (-block.ctypes.data // 4) % 16, {}
    for number in rng.permutation(len(arrays)):
        at += 16 * int(rng.integers(0, 12))
        views[number] = block[at : at + arrays[number].size].reshape(arrays[number].shape)
        views[number][...] = arrays[number]
        at += sizes[number]
    return [views[number] for number in range(len(arrays))]


def layer_cases(dim):
    rng = np.random.default_rng(0)
    pair, x, given = (rng.normal(size=(9, width)).astype(F) for width in (2 * dim, dim, dim))
    weight, nothing = rng.normal(size=dim).astype(F), np.zeros_like
    return {
        "gate": (layer_kernels.gate, [pair, nothing(x)]),
        "gate_back": (layer_kernels.gate_back, [pair, given, nothing(pair)]),
        "drop": (lambda x, out: layer_kernels.drop(x, *CHANCES, out), [x, nothing(x)]),
        "drop_add": (lambda x, more, out: layer_kernels.drop_add(x, *CHANCES, more, out), [x, given, nothing(x)]),
        "norm": (lambda x, weight, out: layer_kernels.norm(x, weight, EPSILON, out), [x, weight, nothing(x)]),
        "norm_back": (
            lambda x, weight, given, out, to_weight: layer_kernels.norm_back(x, weight, EPSILON, given, out, to_weight),
            [x, weight, given, nothing(x), nothing(weight)],
        ),
    }


def attention_case(users, n, heads, groups, dim):
    rng = np.random.default_rng(0)
    projected, given = (rng.normal(size=(users * n, many, dim)).astype(F) for many in (heads + 2 * groups, heads))
    norms, angles = rng.normal(size=(2, dim)).astype(F), rng.normal(size=(2, n, dim)).astype(F)
    weights, no_bias = np.zeros((users, heads, n, n), F), np.zeros((0, n, n), F)

    def there_and_back(projected, query, key, angles, weights, out, given, back, to_query, to_key):
        attention_kernels.attend(projected, query, key, EPSILON, angles, no_bias, weights, out)
        attention_kernels.attend_back(projected, query, key, EPSILON, angles, weights, given, back, to_query, to_key)

    made = np.zeros_like(given), given, np.zeros_like(projected), np.zeros(dim, F), np.zeros(dim, F)
    return there_and_back, [projected, *norms, angles, weights, *made]


def results(kernel, arrays, rounds=60):
    rng, found, kept = np.random.default_rng(1), set(), []
    for _ in range(rounds):
        kept = [np.empty(int(rng.integers(1, 400)), F), *kept][: int(rng.integers(1, 20))]  # shifts what kernels take
        views = laid(arrays, rng)
        kernel(*views)
        found.add(b"".join(view.tobytes() for view in views))
    return found


@pytest.mark.parametrize("name", sorted(layer_cases(16)))
@pytest.mark.parametrize("dim", [7, 16, 32, 48, 64])
def test_a_layer_has_one_result(name, dim):
    assert len(results(*layer_cases(dim)[name])) == 1


@pytest.mark.parametrize("sizes", [(3, 5, 2, 2, 16), (2, 7, 4, 2, 32), (2, 6, 2, 1, 64)])
def test_attention_has_one_result(sizes):
    assert len(results(*attention_case(*sizes))) == 1
