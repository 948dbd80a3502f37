"""Expansion of nodes, on levels where all nodes have the same children and on others."""

import numpy as np
import pytest
import torch

from genrec.decoding.device_trie import DeviceTrie
from genrec.trie import Trie

SIZES = (3, 4, 2)
EVERYTHING = np.stack(np.meshgrid(*map(np.arange, SIZES), indexing="ij"), axis=-1).reshape(-1, 3)


@pytest.mark.parametrize("missing", [[], [5], [5, 4], [0, 1, 2, 3, 4, 5, 6, 7], list(range(1, 24))])
def test_children_are_those_of_the_trie(missing):
    items = np.delete(EVERYTHING, missing, axis=0)
    trie = Trie.from_codes(items, SIZES)
    device = DeviceTrie(trie)
    paths = [()]
    for level in range(len(SIZES)):
        nodes = torch.arange(len(paths))
        below = sorted({tuple(row[: level + 1]) for row in items.tolist()})
        for shape in ((1, len(paths)), (len(paths), 1)):
            children, codes, exists = device.children(level, nodes.view(shape))
            assert children.shape == codes.shape == exists.shape == (*shape, device.branching[level])
            assert codes.dtype == torch.int64
            for node, path in enumerate(paths):
                at = (0, node) if shape[0] == 1 else (node, 0)
                found = list(zip(children[at][exists[at]].tolist(), codes[at][exists[at]].tolist(), strict=True))
                assert found == [(number, one[-1]) for number, one in enumerate(below) if one[:-1] == path]
                assert int(children[at].max()) < len(below)
        paths = below
