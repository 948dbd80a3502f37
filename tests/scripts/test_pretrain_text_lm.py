"""The pretraining script: what it hides, what it saves, how it goes on."""

import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support import make_tables
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

ROOT = Path(__file__).resolve().parents[2]
LINE = "--vocabulary 400 --hidden 64 --layers 1 --tokens 32 --batch 2 --steps 3 --device cpu"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("pretrain_text_lm", ROOT / "scripts" / "pretrain_text_lm.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    (folder / "shop").mkdir()
    make_tables()[0].write_ndjson(folder / "shop" / "items.jsonl")
    return folder


def test_masked_spans_and_the_rest_make_the_row_again(script):
    row, first = np.arange(1000, 1040), 2
    for seed in range(20):
        source, target = script._masked(row, first, np.random.default_rng(seed))
        hidden = {}
        for token in target:
            if token < 1000:
                hidden[token] = []
                last = token
            else:
                hidden[last].append(token)
        again = [part for token in source for part in ([token] if token >= 1000 else hidden[token])]
        assert again == row.tolist()
        assert sum(map(len, hidden.values())) == round(script.NOISE * len(row))


def test_batches_are_a_function_of_the_step(script):
    tokenizer = script.make_tokenizer(["red cup", "blue tea"], 300, "t5")
    rows = np.arange(60).reshape(10, 6) + 110
    endless = script.batches(rows, "t5", tokenizer, 3, seed=1)
    first = [next(endless) for _ in range(8)]
    later = script.batches(rows, "t5", tokenizer, 3, seed=1, start=5)
    for batch in first[5:]:
        again = next(later)
        assert all(torch.equal(batch[name], again[name]) for name in batch)


def test_it_saves_ordinary_folders_and_runs_once(script, data, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["pretrain", str(data), "--out", str(tmp_path), *LINE.split()])
    script.main()
    for kind, model_class in (("decoder", AutoModelForCausalLM), ("t5", AutoModelForSeq2SeqLM)):
        tokenizer = AutoTokenizer.from_pretrained(tmp_path / kind)
        model = model_class.from_pretrained(tmp_path / kind)
        assert len(tokenizer) == model.config.vocab_size <= 400
        text = "title: Red  cup <x>. Ünï"
        assert tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True) == text
        results = json.loads((tmp_path / kind / "results.json").read_text())
        assert results["steps"] == 3
        assert results["held_out_perplexity"] == pytest.approx(np.exp(results["held_out_loss"]))
        assert not (tmp_path / kind / "training.pt").exists()
    assert AutoTokenizer.from_pretrained(tmp_path / "decoder").chat_template
    script.main()
    assert capsys.readouterr().out.count("is already there") == 2


def test_a_stopped_run_goes_on_to_the_same_weights(script, data, tmp_path):
    texts = script.read_texts(data, 0)
    tokenizer = script.make_tokenizer(texts[0], 400, "decoder")
    rows = script.pack(tokenizer, texts[0], 32)
    size = replace(script.SMALL, vocabulary=400, hidden=64, layers=1, batch=2, steps=6)

    def fit(folder, stop_at=None):
        torch.manual_seed(0)
        model = script.make_model("decoder", "llama", tokenizer, size)
        folder.mkdir(exist_ok=True)
        run = script.Run(folder, size, None, 0)
        if stop_at:
            run.save_every = 0.0
            original = run._save

            def save_and_stop(model, tokenizer, optimizer):
                original(model, tokenizer, optimizer)
                if run.step == stop_at:
                    raise KeyboardInterrupt

            run._save = save_and_stop
            with pytest.raises(KeyboardInterrupt):
                run.fit(model, tokenizer, rows, "decoder")
            return None
        run.fit(model, tokenizer, rows, "decoder")
        return model.state_dict()

    whole = fit(tmp_path / "whole")
    fit(tmp_path / "stopped", stop_at=3)
    resumed = fit(tmp_path / "stopped")
    for name, tensor in whole.items():
        torch.testing.assert_close(resumed[name], tensor, rtol=0, atol=0)
