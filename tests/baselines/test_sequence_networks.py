"""SASRec, BERT4Rec and what they are made of."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from genrec.baselines import Bert4Rec, BSARec, FitInputs, SASRec, load_baseline
from genrec.baselines.causal_transformer import CausalTransformer
from genrec.baselines.optimise import Average
from genrec.baselines.prefix_rows import items_read
from genrec.baselines.softmax import full_softmax_loss, sampled_softmax_loss
from genrec.baselines.transformer import FrequencyTransformer, ItemTransformer, low_pass_filter
from genrec.data.histories import Histories
from genrec.data.split import leave_one_out
from genrec.errors import ConfigError, DataError

N_ITEMS = 20
IDS = [f"i{n}" for n in range(N_ITEMS)]
SMALL = {"dim": 16, "layers": 1, "max_items": 8, "dropout": 0.0, "batch_size": 16, "learning_rate": 1e-2}


def circle(users=60, seed=0):
    """After item n comes item n + 1."""
    rng = np.random.default_rng(seed)
    return Histories.from_lists(
        [((rng.integers(N_ITEMS) + np.arange(rng.integers(4, 12))) % N_ITEMS).tolist() for _ in range(users)]
    )


@pytest.mark.parametrize("cells", [1, 60, 1 << 22])
def test_the_full_softmax_equals_cross_entropy(cells, monkeypatch):
    monkeypatch.setitem(__import__("genrec.baselines.softmax", fromlist=["_CELLS"])._CELLS, "cpu", cells)
    torch.manual_seed(0)
    hidden, items = torch.randn(7, 5, requires_grad=True), torch.randn(11, 5, requires_grad=True)
    targets = torch.randint(11, (7,))
    expected = F.cross_entropy(hidden @ items.T, targets)
    wanted = torch.autograd.grad(3 * expected, (hidden, items))
    loss = full_softmax_loss(hidden, items, targets)
    got = torch.autograd.grad(3 * loss, (hidden, items))
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(got, wanted)


def test_a_sampled_softmax_is_the_full_one_on_average():
    torch.manual_seed(0)
    hidden, items, targets = torch.randn(1, 4), torch.randn(40, 4), torch.tensor([3])
    full = full_softmax_loss(hidden, items, targets)
    for all_items in (0, 20, 40):
        torch.testing.assert_close(sampled_softmax_loss(hidden, items, targets, all_items), full)
    several = torch.stack([sampled_softmax_loss(hidden, items, targets, 19) for _ in range(2000)])
    assert several.std().item() > 0.01
    # exp(loss) is the sum of the softmax over the target's part of it
    assert several.exp().mean().item() == pytest.approx(full.exp().item(), rel=0.05)


def test_products_in_half_precision_change_little():
    torch.manual_seed(0)
    hidden, items = torch.randn(7, 8, requires_grad=True), torch.randn(11, 8, requires_grad=True)
    targets = torch.randint(11, (7,))
    expected = F.cross_entropy(hidden @ items.T, targets)
    wanted = torch.autograd.grad(expected, (hidden, items))
    loss = full_softmax_loss(hidden, items, targets, dtype=torch.bfloat16)
    torch.testing.assert_close(loss, expected, atol=3e-2, rtol=3e-2)
    for got, right in zip(torch.autograd.grad(loss, (hidden, items)), wanted, strict=True):
        torch.testing.assert_close(got, right, atol=3e-2, rtol=3e-2)


@pytest.mark.parametrize("alpha", [0.0, 0.7])
def test_a_filter_knows_nothing_of_later_items_nor_of_padding(alpha):
    torch.manual_seed(0)
    network = CausalTransformer(N_ITEMS, 6, 8, 2, 2, 0.0, alpha=alpha, cutoff=3).eval()
    alone = network(torch.tensor([[3, 1, 4]]))
    torch.testing.assert_close(network(torch.tensor([[3, 1, 4, 2, -1], [5, 6, 7, 8, 9]]))[:1, :3], alone)
    first = network.newest(torch.tensor([[3, 1, 4, -1]]))
    torch.testing.assert_close(first, alone[:, 2])
    torch.testing.assert_close(network.slow, low_pass_filter(6, 3)[-1].flip(0))


def test_the_average_follows_the_weights_and_is_what_is_kept():
    network = torch.nn.Linear(2, 1)
    average = Average(network, 0.5)
    with torch.no_grad():
        for value in (1.0, 2.0):
            network.weight.fill_(value)
            average.add(network)
    had = average.exchange(network)
    assert had["weight"].tolist() == [[2.0, 2.0]]
    assert 1.5 < network.weight[0, 0].item() < 2.0
    network.load_state_dict(had)
    assert network.weight[0, 0].item() == 2.0


@pytest.mark.parametrize("causal", [True, False])
def test_states_do_not_depend_on_padding_nor_causal_ones_on_what_comes_later(causal):
    torch.manual_seed(0)
    network = ItemTransformer(N_ITEMS, 6, 8, 2, 2, 0.0, causal=causal).eval()
    items = torch.tensor([[3, 1, 4, 2]])
    alone = network(items)
    padded = network(F.pad(items, (0, 2), value=-1))
    torch.testing.assert_close(padded[:, :4], alone)
    other = network(torch.tensor([[3, 1, 9, 2]]))
    same = torch.isclose(other, alone, atol=1e-6).all(dim=2)[0].tolist()
    assert same == ([True, True, False, False] if causal else [False] * 4)


@pytest.mark.parametrize("make", [SASRec, BSARec, Bert4Rec])
def test_it_learns_what_comes_next(make):
    split = leave_one_out(circle(150))
    baseline = make(**SMALL, epochs=20, schedule="constant").fit(split.train, IDS)
    assert baseline.ndcg(split.test, k=1) > 0.8


@pytest.mark.parametrize("make", [SASRec, BSARec, Bert4Rec])
def test_training_stops_early_and_keeps_the_best_epoch(make, monkeypatch):
    values = iter([0.2, 0.5, 0.4, 0.3, 0.9])
    seen = []
    monkeypatch.setattr(make, "_quick_ndcg", lambda self, *given: (seen.append(self.state()), next(values))[1])
    split = leave_one_out(circle(20))
    baseline = make(**SMALL, epochs=9, patience=2).fit(split.train, IDS, FitInputs(validation=split.validation))
    assert baseline.curve == [0.2, 0.5, 0.4, 0.3]
    assert len(seen) == 4


@pytest.mark.parametrize("make", [SASRec, BSARec, Bert4Rec])
@pytest.mark.parametrize("exclude_seen", [True, False])
def test_the_quick_metric_is_that_of_the_lists(make, exclude_seen):
    split = leave_one_out(circle(30))
    baseline = make(**SMALL, epochs=3)
    baseline.fit(split.train, IDS, FitInputs(validation=split.validation, exclude_seen=exclude_seen))
    assert baseline.ndcg(split.validation, exclude_seen=exclude_seen) == pytest.approx(max(baseline.curve), abs=1e-6)


@pytest.mark.parametrize("make", [SASRec, BSARec, Bert4Rec])
def test_without_validation_all_epochs_are_trained(make):
    steps = []
    make(**SMALL, epochs=3).fit(
        circle(10), IDS, FitInputs(progress=lambda what, done, total: steps.append((done, total)))
    )
    assert steps == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("make", [SASRec, BSARec, Bert4Rec])
def test_only_the_newest_items_are_read(make):
    baseline = make(**{**SMALL, "max_items": 3}, epochs=1).fit(circle(10), IDS)
    long, short = [5, 6, 7, 1, 2, 3], [2, 3] if make is Bert4Rec else [1, 2, 3]
    np.testing.assert_array_equal(*(baseline.score(Histories.from_lists([items])) for items in (long, short)))


@pytest.mark.parametrize("rows", ["prefixes", "histories", "windows"])
def test_every_target_is_trained_on_once(rows):
    baseline = SASRec(**{**SMALL, "max_items": 4}, rows=rows)
    train = circle(30)
    counts = np.zeros(N_ITEMS, dtype=int)
    for batch in baseline._batches(train, 0)(0):
        targets = batch[1] if rows == "prefixes" else batch[:, 1:]
        counts += np.bincount(targets[targets >= 0], minlength=N_ITEMS)
    expected = sum(np.bincount(items[1:], minlength=N_ITEMS) for items in train)
    np.testing.assert_array_equal(counts, expected)


@pytest.mark.parametrize("last_only", [0.0, 1.0, 0.5])
def test_masks_hide_real_items_and_at_least_one(last_only):
    baseline = Bert4Rec(**SMALL, mask_share=0.2, last_only=last_only)
    for items, hidden in baseline._batches(circle(40), 0)(0):
        assert hidden.any(axis=1).all()
        assert not hidden[items < 0].any()
        newest = np.arange(items.shape[1]) == (items >= 0).sum(axis=1, keepdims=True) - 1
        only_newest = (hidden == newest).all(axis=1)
        assert only_newest.all() if last_only == 1.0 else not only_newest.all()


@pytest.mark.parametrize("make", [SASRec, BSARec, Bert4Rec])
def test_what_cannot_be_trained_is_refused(make):
    with pytest.raises(DataError, match="two items"):
        make(**SMALL).fit(Histories.from_lists([[1], [2]]), IDS)
    with pytest.raises(ConfigError, match="heads"):
        make(**SMALL, heads=3).fit(circle(5), IDS)


@pytest.mark.parametrize("make", [SASRec, BSARec, Bert4Rec])
def test_the_caller_keeps_its_random_numbers(make):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    make(**SMALL, epochs=1).fit(circle(5), IDS, FitInputs(seed=7))
    torch.testing.assert_close(torch.rand(3), expected)


def test_candidates_fit_the_data():
    """Long enough for nine of ten histories, batches small enough for a hundred steps; long histories are rows."""
    for histories, length, rows, by_targets, by_windows in (
        ([[0] * 30] * 19 + [[0] * 500], 50, "histories", 4, 16),
        ([[0] * 30] * 20, 50, "prefixes", 16, 16),
        ([[0] * 5] * 7000, 50, "prefixes", 256, 64),
        ([[0] * 900], 200, "histories", 4, 16),
    ):
        train = Histories.from_lists(histories)
        for make, batch in ((SASRec, by_targets), (BSARec, by_targets), (Bert4Rec, by_windows)):
            grid = make.candidates(train)
            assert {(each["max_items"], each["batch_size"]) for each in grid} == {(length, batch)}
            for each in grid:
                assert make is Bert4Rec or each["rows"] == rows
                make(**each)


@pytest.mark.parametrize("most", [1, 3, 50])
def test_items_that_a_target_reads_are_counted(most):
    train = circle(10)
    right = [min(place, most) for items in train for place in range(1, len(items))]
    assert items_read(train, most) == pytest.approx(np.mean(right))
    assert items_read(Histories.from_lists([[1]]), most) == 0


def test_all_kinds_of_rows_learn_and_are_saved(tmp_path):
    split = leave_one_out(circle(150))
    for rows in ("histories", "prefixes", "windows"):
        baseline = SASRec(**SMALL, rows=rows, epochs=12).fit(split.train, IDS)
        assert baseline.ndcg(split.test, k=1) > 0.8
        baseline.save_pretrained(tmp_path / rows)
        again = load_baseline(tmp_path / rows)
        np.testing.assert_array_equal(again.score(split.test.histories), baseline.score(split.test.histories))


def test_a_folder_from_before_there_were_two_kinds_of_rows_holds_windows():
    settings = SASRec(rows="windows").settings.model_dump()
    del settings["rows"]
    assert SASRec(**{**SASRec.legacy, **settings}).settings.rows == "windows"
    assert SASRec().settings.rows == BSARec().settings.rows == "prefixes"
    assert BSARec.legacy == {"rows": "prefixes"}


def test_few_users_get_more_epochs_and_long_histories_less_dropout():
    usual = SASRec().settings.patience
    few, many = ([[0] * length] * users for length, users in ((100, 300), (5, 50_000)))
    first, second = (SASRec.candidates(Histories.from_lists(one)) for one in (few, many))
    assert {each["patience"] for each in second} == {usual}
    assert all(each["patience"] > usual for each in first)
    assert first[0]["dropout"] < second[0]["dropout"]


def test_the_learning_rate_falls_to_zero_or_stays():
    from genrec.baselines.optimise import rate_at

    falling, constant = (SASRec(epochs=4, schedule=name).settings for name in ("linear", "constant"))
    assert [rate_at(epoch, falling) for epoch in range(4)] == [1.0, 0.75, 0.5, 0.25]
    assert [rate_at(epoch, constant) for epoch in range(4)] == [1.0] * 4


def test_the_filter_keeps_slow_changes_and_only_those():
    kept = low_pass_filter(16, 5).double()
    place = torch.arange(16, dtype=torch.float64)
    for frequency in range(9):
        wave = torch.cos(2 * torch.pi * frequency * place / 16)
        torch.testing.assert_close(kept @ wave, wave if frequency <= 2 else torch.zeros(16).double(), atol=1e-6, rtol=0)
    signal = torch.randn(16, dtype=torch.float64)
    spectrum = torch.fft.rfft(signal)
    spectrum[3:] = 0
    torch.testing.assert_close(kept @ signal, torch.fft.irfft(spectrum, n=16), atol=1e-6, rtol=0)


@pytest.mark.parametrize("alpha", [0.0, 0.7])
def test_newest_states_do_not_depend_on_padding_or_the_batch(alpha):
    torch.manual_seed(0)
    network = FrequencyTransformer(N_ITEMS, 6, 8, 2, 2, 0.0, alpha=alpha, cutoff=3).eval()
    rows = [[3, 1, 4, 2, 7], [5], [8, 9, 1]]
    batch = torch.tensor([row + [-1] * (6 - len(row)) for row in rows])
    for row, state in zip(rows, network.newest(batch), strict=True):
        torch.testing.assert_close(network.newest(torch.tensor([row]))[0], state)


def test_frequencies_change_what_is_learned_only_where_they_have_a_share():
    def scores(**settings):
        baseline = BSARec(**{**SMALL, "heads": 2}, epochs=1, **settings).fit(circle(20), IDS, FitInputs(seed=1))
        return baseline.score(Histories.from_lists([[1, 2, 3]]))

    np.testing.assert_array_equal(scores(alpha=0.0, cutoff=1), scores(alpha=0.0, cutoff=5))
    assert not np.allclose(scores(alpha=0.5, cutoff=1), scores(alpha=0.5, cutoff=5))


@pytest.mark.parametrize("make", [SASRec, BSARec])
def test_every_target_with_a_history_is_a_row_of_its_own_where_that_is_asked_for(make):
    baseline, train = make(**{**SMALL, "max_items": 4}, rows="prefixes"), circle(30)
    rows = [
        (tuple(one[one >= 0].tolist()), int(target))
        for read, targets in baseline._batches(train, 0)(0)
        for one, target in zip(read, targets, strict=True)
    ]
    expected = [
        (tuple(items[max(0, at - 4) : at].tolist()), int(items[at])) for items in train for at in range(1, len(items))
    ]
    assert sorted(rows) == sorted(expected)
