import json
from types import SimpleNamespace

import numpy as np
import pytest

from genrec.data.histories import Histories
from genrec.data.split import EvaluationSet
from genrec.errors import ConfigError
from genrec.evaluation.regret import beam_regret, write_regret
from genrec.generative.config import TrainConfig
from genrec.trie import Trie

SIZES, N = (4, 5, 6), 50


def test_wide_beams_have_no_regret_and_narrow_ones_some(tiny_model, tmp_path):
    from genrec.generative.recommender import GenerativeRecommender

    rng = np.random.default_rng(0)
    codes = np.argwhere(np.ones(SIZES))[rng.permutation(120)[:N]].astype(np.int32)
    index = SimpleNamespace(
        codes=codes, codebook_sizes=SIZES, item_ids=np.arange(N).astype(str), trie=Trie.from_codes(codes, SIZES)
    )
    recommender = GenerativeRecommender(tiny_model("item-decoder", SIZES), index, TrainConfig())
    histories = Histories.from_lists([rng.integers(0, N, 3).tolist() for _ in range(20)])
    cases = EvaluationSet(histories, rng.integers(0, N, 20).astype(np.int32))
    calls = []
    rows = beam_regret(recommender, cases, k=5, widths=(N, 1), chunk=8, progress=lambda *state: calls.append(state))
    exact, narrow, wide = rows
    assert [row["beams"] for row in rows] == [None, 1, N]
    assert exact["overlap"] == wide["overlap"] == wide["first"] == 1
    assert exact["score_gap"] == 0
    assert abs(wide["score_gap"]) < 1e-4
    assert wide["ndcg@5"] == exact["ndcg@5"]
    assert narrow["overlap"] < 1
    assert narrow["score_gap"] > 0
    assert calls[:3] == [("exact", 8, 20), ("exact", 16, 20), ("exact", 20, 20)]
    write_regret(tmp_path, rows, dataset="shop", command="genrec bench regret")
    written = json.loads((tmp_path / "beam-regret.json").read_text())
    assert [row["ndcg@5"] for row in written] == [row["ndcg@5"] for row in rows]
    assert {row["dataset"] for row in written} == {"shop"}
    page = (tmp_path / "beam-regret.md").read_text()
    assert page.count("\n| ") == 4
    assert "| exact |" in page
    with pytest.raises(ConfigError, match="widths"):
        beam_regret(recommender, cases, widths=())
