import numpy as np
import pytest

from genrec.baselines import Popularity, RepeatLast, TransitionCounts
from genrec.data.histories import Histories
from genrec.data.split import leave_one_out
from genrec.errors import DataError
from genrec.evaluation.candidates import rank_candidates, read_candidates
from genrec.evaluation.evaluator import evaluate
from genrec.recommender import Recommender

N_ITEMS = 20
IDS = np.array([f"i{n}" for n in range(N_ITEMS)], dtype=object)


@pytest.fixture(scope="module")
def split():
    rng = np.random.default_rng(0)
    return leave_one_out(Histories.from_lists([rng.integers(0, N_ITEMS, rng.integers(3, 9)) for _ in range(50)]))


@pytest.fixture(scope="module")
def candidates():
    rng = np.random.default_rng(1)
    return Histories.from_lists([rng.permutation(N_ITEMS)[: rng.integers(1, 9)] for _ in range(50)])


class Wrapped(Recommender):
    """A baseline behind the plain interface, so that only ``allow`` can be used."""

    name = "wrapped"

    def __init__(self, inner):
        self.inner, self.item_ids = inner, inner.item_ids

    def _rank(self, histories, request):
        return self.inner._rank(histories, request)


class Each(Wrapped):
    """Takes one list a user."""

    def recommend(self, histories, k, *, exclude_seen=True, allow=None, deny=None, allow_each=None):
        assert len(allow_each) == len(histories)
        parts = [
            super(Each, self).recommend(histories.select([user]), k, exclude_seen=exclude_seen, allow=own)
            for user, own in enumerate(allow_each)
        ]
        return type(parts[0])(np.vstack([p.items for p in parts]), np.vstack([p.scores for p in parts]), self.item_ids)


@pytest.mark.parametrize("exclude_seen", [True, False])
@pytest.mark.parametrize("make", [Popularity, RepeatLast, lambda: TransitionCounts(window=2, last=3)])
def test_ranking_candidates_is_the_full_ranking_without_the_rest(split, candidates, make, exclude_seen):
    baseline = make().fit(split.train, IDS)
    histories = split.test.histories
    whole = baseline.recommend(histories, N_ITEMS, exclude_seen=exclude_seen).items
    for one in (baseline, Wrapped(baseline), Each(baseline)):
        got = rank_candidates(one, histories, candidates, 5, exclude_seen=exclude_seen)
        for user, row in enumerate(whole):
            expected = [item for item in row if item >= 0 and item in candidates[user]][:5]
            assert [item for item in got.items[user] if item >= 0] == expected


def test_evaluation_within_candidates(split, candidates):
    baseline = Popularity().fit(split.train, IDS)
    result = evaluate(baseline, split.test, candidates=candidates, batch_users=7)
    inside = np.array([target in own for target, own in zip(split.test.targets, candidates, strict=True)])
    assert not result.ranks[~inside].any()
    assert result.ranks.max() <= candidates.lengths.max()
    assert f"hold {inside.mean() * 100:.1f} % of the targets" in result.remark
    only = Histories.from_lists([[target] for target in split.test.targets])
    assert evaluate(baseline, split.test, candidates=only, exclude_seen=False).metrics["recall@1"] == 1.0


def test_whole_catalogue_as_candidates_changes_nothing(split):
    baseline = TransitionCounts(window=2, last=2).fit(split.train, IDS)
    everything = Histories.from_lists([range(N_ITEMS)] * len(split.test))
    np.testing.assert_array_equal(
        evaluate(baseline, split.test, candidates=everything).ranks, evaluate(baseline, split.test).ranks
    )


def test_lists_from_a_table(split, tmp_path):
    path = tmp_path / "candidates.csv"
    users = split.test.histories.user_ids.tolist()
    lines = [f"{user},i{(int(user) + n) % N_ITEMS}" for n in range(3) for user in reversed(users)]
    path.write_text("user_id,item_id\n" + "\n".join(lines) + "\n")
    got = read_candidates(path, IDS, split.test)
    assert [sorted(row.tolist()) for row in got] == [sorted((int(u) + n) % N_ITEMS for n in range(3)) for u in users]
    path.write_text("user_id,item_id\n0,i1\n")
    with pytest.raises(DataError, match="have no candidates"):
        read_candidates(path, IDS, split.test)
    path.write_text("user_id,item_id\n0,unknown\n")
    with pytest.raises(DataError, match="catalogue does not have"):
        read_candidates(path, IDS, split.test)


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ([[1]], "1 candidate list for 50"),
        ([[]] * 50, "empty"),
        ([[N_ITEMS]] * 50, "not in the recommender's catalogue"),
    ],
)
def test_wrong_lists_are_refused(split, lists, message):
    with pytest.raises(DataError, match=message):
        evaluate(Popularity().fit(split.train, IDS), split.test, candidates=Histories.from_lists(lists))
