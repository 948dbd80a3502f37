"""The interval decoder: days between items change what is recommended, and nothing earlier."""

import pytest
import torch
from networks import IDS, tiny_index
from support import QWEN

from genrec.errors import ConfigError
from genrec.generative.config import TrainConfig
from genrec.generative.recommender import GenerativeRecommender
from genrec.models import build_model
from genrec.training.session import run_identity

SIZES = (5, 6, 7)
CODES = torch.tensor([[[0, 1, 2], [3, 4, 5], [1, 1, 1], [2, 0, 6]]])
DAYS = torch.tensor([[torch.nan, 1.0, 30.0, 0.0]])


def made(sizes=SIZES, **options):
    torch.manual_seed(0)
    model = build_model("interval-decoder", sizes, backbone=QWEN, interval_width=16, **options).eval()
    with torch.no_grad():
        model.input_table.weight.mul_(20)
        model.scale.fill_(1.0)
    return model


def states(model, days, codes=CODES, mask=None):
    mask = torch.ones(codes.shape[:2], dtype=torch.bool) if mask is None else mask
    with torch.no_grad():
        return model.states(codes, mask, days=days)[0]


def test_an_interval_changes_what_comes_after_it_and_nothing_before():
    model = made()
    later = DAYS.clone()
    later[0, 2] = 400.0
    one, other = states(model, DAYS), states(model, later)
    torch.testing.assert_close(one[:, :3], other[:, :3])
    assert (one - other)[:, 3:].abs().amax(-1).min() > 1e-4


def test_long_intervals_differ_by_their_ratio_and_unknown_ones_are_their_own():
    model = made()
    with torch.no_grad():
        model.unknown.fill_(1.0)
        vectors = model.vectors_of(torch.tensor([1.0, 2.0, 100.0, 101.0, torch.nan, 0.0]))
    assert (vectors[0] - vectors[1]).norm() > 5 * (vectors[2] - vectors[3]).norm()
    torch.testing.assert_close(vectors[4], torch.ones(32))
    assert (vectors[5] - vectors[4]).norm() > 0.1
    assert vectors.isfinite().all()


def test_intervals_ask_items_and_only_those_so_far():
    model = made()
    alone = model.embed(CODES[0][:, None], None)[:, 0]
    mask = torch.ones(1, 4, dtype=torch.bool)
    with torch.no_grad():
        before = model.embed(CODES, None, mask=mask, days=DAYS)[0]
        other = CODES.clone()
        other[0, 1] = torch.tensor([4, 0, 0])
        changed = model.embed(other, None, mask=mask, days=DAYS)[0]
        model.asks.out.weight.zero_()
        unasked = model.embed(CODES, None, mask=mask, days=DAYS)[0]
    torch.testing.assert_close(changed[0], before[0])
    assert (changed - before)[2].abs().max() > 1e-3  # the same item and interval, after another item
    torch.testing.assert_close(unasked, alone + model.vectors_of(DAYS)[0])


def test_padding_on_either_side_and_missing_days():
    model = made()
    mask = torch.tensor([[True] * 4 + [False] * 2])
    right, left = (torch.cat(parts, 1) for parts in ((CODES, CODES[:, :2]), (CODES[:, :2], CODES)))
    empty = torch.full((1, 2), torch.nan)
    with torch.no_grad():
        one = model.step(model.prefill(right, mask, days=torch.cat([DAYS, empty], 1)))
        two = model.step(model.prefill(left, mask.flip(1), days=torch.cat([empty, DAYS], 1)))
        bare = model.step(model.prefill(CODES, mask[:, :4]))
        unknown = model.step(model.prefill(CODES, mask[:, :4], days=torch.full_like(DAYS, torch.nan)))
    torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(bare, unknown)


def test_some_intervals_are_hidden_in_training():
    model = made(interval_dropout=0.5, dropout=0.0).train()
    mask = torch.ones(1, 4, dtype=torch.bool)
    found = {round(float(model.states(CODES, mask, days=DAYS)[0].detach().sum()), 4) for _ in range(9)}
    assert len(found) > 1


def test_a_recommender_reads_times_of_histories_and_does_without():
    index = tiny_index()
    model = made(index.codebook_sizes)
    with torch.no_grad():
        model.output_table.weight.mul_(30)
    made_of = GenerativeRecommender(
        model, index, TrainConfig.model_validate({"model": {"architecture": "interval-decoder"}})
    )
    lists = [[IDS[3], IDS[9], IDS[15]]]
    plain = made_of.known(lists)
    times = [torch.tensor([0, step, 2 * step]).numpy() + 1_700_000_000 for step in (60, 86_400 * 300)]
    answers = [made_of.score_items(type(plain)(plain.user_ids, plain.offsets, plain.items, when)) for when in times]
    assert abs(answers[0] - answers[1]).max() > 1e-3
    assert made_of.recommend(lists, 3).items.shape == (1, 3)
    same = run_identity(made_of.config, plain, "index")
    timed = [
        run_identity(made_of.config, type(plain)(plain.user_ids, plain.offsets, plain.items, when), "index")
        for when in times
    ]
    assert timed[0] != timed[1] != same


def test_heads_must_divide_the_width():
    with pytest.raises(ConfigError, match="interval_heads"):
        made(interval_heads=3)
