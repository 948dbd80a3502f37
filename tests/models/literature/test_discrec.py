"""DiscRec: the second view knows an item's other codes and nothing outside the item; the gate chooses."""

import pytest
import torch
from support import QWEN

from genrec.errors import ConfigError
from genrec.models import build_model

SIZES = (5, 6, 7)
A, B = torch.tensor([1, 2, 3]), torch.tensor([4, 0, 3])


def made(**options):
    torch.manual_seed(0)
    model = build_model("discrec", SIZES, backbone=QWEN, local_width=32, **options).eval()
    with torch.no_grad():
        model.input_table.weight.mul_(20)
    return model


def vectors(model, *items):
    with torch.no_grad():
        return model.embed(torch.stack(items)[None])[0]


def crossed(model):
    """Zero where the vector of an item is a sum over its codes: what a first code adds would not depend on the last."""
    same, other = torch.tensor([1, 2, 5]), torch.tensor([4, 0, 5])
    one, two, three, four = vectors(model, A, same, B, other)
    return (one - two - three + four).abs().max()


def test_only_the_second_view_knows_an_items_other_codes():
    assert crossed(made(branch="semantic")) < 1e-5
    assert crossed(made(branch="collaborative")) > 0.01
    assert crossed(made()) > 0.01


def test_one_view_alone_is_the_plain_item_decoder():
    torch.manual_seed(0)
    plain = build_model("item-decoder", SIZES, backbone=QWEN).eval()
    model = made(branch="semantic")
    model.load_state_dict(plain.state_dict(), strict=False)
    codes, mask = torch.stack([A, B, A])[None], torch.ones(1, 3, dtype=torch.bool)
    torch.testing.assert_close(model(codes, mask).loss, plain(codes, mask).loss)


def test_a_gate_that_is_sure_leaves_one_view():
    model = made()
    semantic, collaborative = vectors(made(branch="semantic"), A), vectors(made(branch="collaborative"), A)
    halves = vectors(model, A)
    torch.testing.assert_close(halves, (semantic + collaborative) / 2)  # gates start at zero: both count the same
    tokens = model.input_table.embed(A)
    direction = torch.linalg.lstsq(tokens, torch.full((3, 1), 50.0)).solution[:, 0]  # 50 at each of these codes
    with torch.no_grad():
        model.gates[0] = direction
    torch.testing.assert_close(vectors(model, A), semantic, atol=1e-4, rtol=1e-4)
    with torch.no_grad():
        model.gates[0] = -direction
    torch.testing.assert_close(vectors(model, A), collaborative, atol=1e-4, rtol=1e-4)


def test_attention_does_not_leave_the_item():
    model = made()
    torch.testing.assert_close(vectors(model, A, B)[0], vectors(model, A, A)[0])
    torch.testing.assert_close(vectors(model, A, B)[1], vectors(model, B)[0])


def test_wrong_settings_are_refused():
    with pytest.raises(ConfigError, match="branch"):
        made(branch="left")
    with pytest.raises(ConfigError, match=r"options.local_heads"):
        made(local_heads=3)
