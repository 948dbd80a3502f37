from dataclasses import replace

import numpy as np
import pytest

from genrec.errors import DataError
from genrec.evaluation.compare import compare
from genrec.evaluation.evaluator import EvaluationResult
from genrec.metrics import mean_metrics


def result(name, ranks, user_ids=None):
    ranks = np.asarray(ranks, dtype=np.int32)
    n = len(ranks)
    ids = np.array([f"u{u}" for u in range(n)] if user_ids is None else user_ids, dtype=object)
    novel = np.arange(n) % 2 == 0
    return EvaluationResult(
        recommender=name,
        kind="baseline",
        ks=(10,),
        ranks=ranks,
        targets=np.arange(n, dtype=np.int32),
        user_ids=ids,
        masks={"all": np.ones(n, dtype=bool), "novel": novel},
        metrics=mean_metrics(ranks, (10,)),
        cases=n,
        items=n,
        exclude_seen=True,
        valid=1.0,
        short_users=0,
        missing=0,
        exposure=np.zeros(n, dtype=np.int64),
        seconds=1.0,
    )


@pytest.fixture
def three():
    rng = np.random.default_rng(0)
    good = np.where(rng.random(3000) < 0.2, 1, 0)
    bad = np.where(rng.random(3000) < 0.1, 1, 0)
    like_good = good.copy()
    like_good[:5] = 1 - like_good[:5]
    return [result("bad", bad), result("good", good), result("like-good", like_good)]


def test_what_is_different_is_marked(three):
    got = compare(three, "recall@10", reference="good")
    verdicts = {row.recommender: row.verdict for row in got.rows}
    assert verdicts == {"good": "reference", "like-good": "not different", "bad": "worse"}
    assert compare(three, "recall@10", reference="bad").rows[0].verdict == "better"
    assert [row.interval.mean for row in got.rows] == sorted((row.interval.mean for row in got.rows), reverse=True)
    assert got.rows[-1].recommender == "bad"


def test_identical_results_are_never_different(three):
    copies = [replace(three[1], recommender=name) for name in "abcd"]
    assert {row.verdict for row in compare(copies).rows} == {"reference", "not different"}


def test_results_are_paired_by_user_and_target_in_any_order(three):
    order = np.random.default_rng(1).permutation(3000)
    shuffled = replace(
        three[0],
        ranks=three[0].ranks[order],
        targets=three[0].targets[order],
        user_ids=three[0].user_ids[order],
        masks={name: mask[order] for name, mask in three[0].masks.items()},
    )
    for targets in ("all", "novel"):
        assert compare([three[1], shuffled], targets=targets) == compare([three[1], three[0]], targets=targets)


def test_other_cases_are_refused(three):
    other = result("other", three[0].ranks, [f"v{n}" for n in range(3000)])
    with pytest.raises(DataError, match="same cases"):
        compare([three[0], other])
    with pytest.raises(DataError, match="same cases"):
        compare([three[0], result("short", [1, 2])])


def test_wrong_calls_are_refused(three):
    with pytest.raises(DataError, match="nothing to compare"):
        compare([])
    with pytest.raises(DataError, match="called 'bad'"):
        compare([three[0], three[0]])
    with pytest.raises(DataError, match="no result 'best'"):
        compare(three, reference="best")


def test_the_table_names_everything(three):
    text = compare(three, "recall@10").table()
    assert all(word in text for word in ("like-good", "not different", "worse", "reference", "recall@10"))
    assert "remark" not in text


def test_an_empty_slice_compares_as_unknown(three):
    empty = [replace(r, masks={**r.masks, "none": np.zeros(3000, dtype=bool)}) for r in three]
    got = compare(empty, targets="none")
    assert got.cases == 0
    assert all(np.isnan(row.interval.mean) for row in got.rows)
    assert {row.verdict for row in got.rows} == {"reference", "not different"}
