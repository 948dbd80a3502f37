"""The table of families: configurations are found for every type, rows are replaced and counted."""

import importlib.util
import json
import sys
from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "scripts"


def module(name):
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    made = importlib.util.module_from_spec(spec)
    sys.modules[name] = made  # dataclasses look their module up
    spec.loader.exec_module(made)
    return made


def test_every_type_of_the_library_is_a_family_and_sizes_are_small():
    configs = module("family_configs")
    families = configs.families()
    assert len(families) > 250
    ids = {"vocab_size": 50, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
    for name in ("llama", "t5gemma-seq2seq", "bert-encoder", "gpt2", "bart-seq2seq"):
        config = configs.small_config(families[name], ids)
        assert config.get_text_config().vocab_size == 50
        assert config.get_text_config().hidden_size == 16
    assert configs.small_config(families["t5gemma-seq2seq"], ids).decoder.hidden_size == 16


def test_rows_of_earlier_runs_stay_and_the_same_ones_are_replaced(tmp_path):
    table = module("family_table")
    row = {"benchmark": "families", "kind": "causal", "tuning": "lora", "decoding": "shared", "own_logits": False}
    exact = {**row, "family": "a", "outcome": "exact", "reason": "", "difference": 2e-6}
    refused = {**row, "family": "b", "outcome": "refused", "reason": "It | sees\nmore.", "difference": None}
    table.write([exact, refused, {**row, "family": "c", "outcome": "not built", "reason": "x"}], tmp_path / "t")
    table.write([{**exact, "difference": 3e-6}], tmp_path / "t")
    rows = json.loads((tmp_path / "t.json").read_text())
    assert [(one["family"], one["difference"]) for one in rows] == [("a", 3e-6), ("b", None), ("c", None)]
    assert set(table.known_rows(tmp_path / "t")) == {(name, "lora") for name in "abc"}
    page = (tmp_path / "t.md").read_text()
    assert "2 families, 2 runs: 1 exact" in page
    assert "0 faults" in page
    assert "so without a row: c." in page
    assert "It \\| sees more." in page
