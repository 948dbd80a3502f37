"""Tables of real language models: intervals are shown, and what is below popularity is named."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

SCRIPTS = Path(__file__).resolve().parent.parent.parent / "scripts"


def script(name):
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_row_below_popularity_is_named(tmp_path, monkeypatch):
    module = script("zero_shot_text")
    monkeypatch.setattr(module, "RESULTS", tmp_path)
    figures = {"popularity": 0.02, module.WORDS: 0.14, "MiniLM": 0.01}
    rows = {name: {"users": 10, "recall@10": 2 * value, "ndcg@10": value} for name, value in figures.items()}
    module.write({"shop": rows})
    text = (tmp_path / "zero-shot-text.md").read_text()
    assert "Below popularity: MiniLM on shop (recall@10); MiniLM on shop (ndcg@10)." in text
    rows["MiniLM"] |= {"ndcg@10": 0.03, "recall@10": 0.06}
    module.write({"shop": rows})
    assert "Below popularity: no row." in (tmp_path / "zero-shot-text.md").read_text()


def test_figures_of_ranks_have_intervals_and_rows_without_them_are_shown():
    module = script("llm_real")
    figures = module.figures(np.array([1, 0, 0, 2] * 25))
    low, high = figures["recall@10 interval"]
    assert figures["recall@10"] == 0.5
    assert low < 0.5 < high
    assert module.shown(figures, "recall@10") == f"0.5000 ({low:.4f} to {high:.4f})"
    assert module.shown({"recall@10": 0.25}, "recall@10") == "0.2500"


def test_pretrained_is_compared_with_random_weights_on_the_same_users(tmp_path):
    module = script("llm_real")
    options = type("Options", (), {"work": tmp_path})
    assert module.paired(options) == {}
    for name, ranks in (("lora", [1, 1, 0, 0]), ("random-weights", [0, 1, 0, 0])):
        np.save(tmp_path / f"{name}-test.npy", np.array(ranks * 10))
    assert module.paired(options)["random-weights"]["mean"] == pytest.approx(0.25)
