"""The benchmark itself, on a setting so small that only its logic is measured."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from genrec.benchmarks.decode import Bench, Setting, default_settings, run, select
from genrec.benchmarks.decode_report import merged, read
from genrec.benchmarks.hf_generate import allowed_tokens, code_tokens, dictionary_trie, random_catalogue
from genrec.benchmarks.measure import peak_memory
from genrec.cli.main import app
from genrec.errors import ConfigError


def test_rows_agree_with_the_baseline_and_say_where_time_goes(tmp_path):
    bench = Bench(rounds=1, vocabulary=300)
    settings = [Setting("t5", 8, 3, 4, 500), Setting("decoder", 6, 1, 3, 500)]
    seen = []
    rows = run(settings, bench, out=tmp_path, progress=lambda what, done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]
    assert [(row["model"], row["dtype"], row["normalize"]) for row in rows] == [
        ("t5", "float32", "vocabulary"),
        ("t5", "bfloat16", "vocabulary"),
        ("decoder", "float32", "vocabulary"),
        ("decoder", "float32", "codes"),
    ]
    for row in rows:
        assert row["identical"] if "identical" in row else row["overlap"] >= 0
        shares = [row[f"share_{part}"] for part in ("prefill", "step", "normalizer", "constraint")]
        assert sum(shares) == pytest.approx(1, abs=1e-3)
        assert all(0 <= share <= 1 for share in shares)
        assert row["ms"] > 0
        assert row["speedup_vs_hf"] == pytest.approx(row["hf_ms"] / row["ms"], rel=0.05)
    assert json.loads((tmp_path / "decode.json").read_text()) == rows
    page = (tmp_path / "decode.md").read_text()
    assert page.count("\n| 3 × 4 |") == 2
    assert "NO" not in page


def test_a_grid_can_be_measured_in_pieces(tmp_path):
    row = {"model": "t5", "prompt": 8, "items": 5, "users": 1, "beams": 2, "dtype": "float32", "normalize": "codes"}
    row |= {"device": "cpu", "ms": 1.0}
    other = {**row, "items": 4}
    assert merged([row], [other, {**row, "ms": 2.0}]) == [other, {**row, "ms": 2.0}]
    assert read(tmp_path) == []
    bench, first = Bench(rounds=1), Setting("t5", 8, 1, 2, 300)
    run([first], bench, out=tmp_path)
    run([Setting("t5", 8, 2, 2, 300)], bench, out=tmp_path, add=True)
    assert [one["users"] for one in read(tmp_path)] == [1, 1, 2, 2]
    run([first], bench, out=tmp_path)
    assert [one["users"] for one in read(tmp_path)] == [1, 1]


def test_the_grid_can_be_cut():
    grid = default_settings()
    assert {one.items for one in grid if one.model == "t5"} == {10_000, 100_000, 1_000_000}
    assert select(grid, models=["decoder"], shapes=["2x3"]) == [
        Setting("decoder", prompt, 2, 3, 100_000) for prompt in (128, 512)
    ]
    assert {one.items for one in select(grid, items=[7])} == {7}
    assert {one.prompt for one in select(grid, models=["decoder"], prompts=[128])} == {128}
    with pytest.raises(ConfigError, match="Did you mean 't5'"):
        select(grid, models=["t6"])
    with pytest.raises(ConfigError, match="32x50"):
        select(grid, shapes=["big"])


def test_the_dictionary_trie_is_right():
    codes = random_catalogue(50, (4, 5, 6), seed=1)
    assert codes.shape == (50, 3)
    assert len(np.unique(codes, axis=0)) == 50
    tokens = code_tokens((4, 5, 6), 10)
    assert tokens == [range(10, 14), range(14, 19), range(19, 25)]
    import torch

    allowed = allowed_tokens(dictionary_trie(codes, tokens), 2, 1)
    path = codes[0] + np.array([10, 14, 19])
    assert sorted(allowed(0, torch.tensor([9, 9]))) == sorted({10 + code for code in codes[:, 0].tolist()})
    assert int(path[1]) in allowed(0, torch.tensor([9, 9, path[0]]))
    assert allowed(0, torch.tensor([9, 9, 3])) == [1]


def test_peak_memory_sees_a_temporary():
    _, used = peak_memory(lambda: float(np.ones(20_000_000).sum()))
    assert used > 100


def test_the_command_refuses_and_runs(tmp_path):
    result = CliRunner().invoke(app, ["bench", "decode", "--out", str(tmp_path), "--model", "t6"])
    assert result.exit_code == 1
    arguments = ["--quick", "--model", "t5", "--items", "300", "--shape", "1x2", "--rounds", "1"]
    result = CliRunner().invoke(app, ["bench", "decode", "--out", str(tmp_path), *arguments])
    assert result.exit_code == 0, result.output
    assert len(json.loads((tmp_path / "decode.json").read_text())) == 2
