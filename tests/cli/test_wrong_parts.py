"""A wrong setting of an objective, a transform or a network is answered before the tables are read."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from genrec.cli import train
from genrec.cli.main import app

INDEX = Path(__file__).resolve().parents[1] / "fixtures" / "artifacts-0.1" / "index-text"
WRONG = {
    "objective": (["--set", "objective={name: sdpo, bta: 3}"], "Did you mean 'beta'?"),
    "objective, value": (["--set", "objective={name: grpo, kl: .inf}"], "finite number"),
    "nothing to go on from": (["--config", "grpo-seq2seq"], "genrec train … --init RECOMMENDER"),
    "no language model to go on from": (["--config", "grpo-llm"], "genrec train … --init RECOMMENDER"),
    "transform": (["--set", "transforms=[{name: llm4dsr, stepz: 3}]"], "Did you mean 'steps'?"),
    "transform without a model": (["--config", "llm4dsr"], "asks a language model, and none is given"),
    "network": (["--set", "model.options.foo=3"], "model.options (item-decoder)"),
    "network, value": (["--config", "discrec", "--set", "model.options.local_width=-1"], "local_width"),
    "no language model": (["--config", "llara"], "starts from a pretrained model, and none is given"),
    "an empty name": (["--config", "llara", "--set", "model.checkpoint="], "none is given"),
    "no such folder": (["--config", "llara", "--set", "model.checkpoint=/no/such"], "'/no/such' does not exist"),
}


@pytest.mark.parametrize("case", WRONG)
def test_it_is_answered_before_tables_are_read(case, tmp_path, monkeypatch):
    def never(*_, **__):
        raise AssertionError("tables are read")

    monkeypatch.setattr(train, "read_split", never)
    (tmp_path / "log.csv").write_text("user_id,item_id,timestamp\nu,i000,1\n")
    given, said = WRONG[case]
    call = ["train", str(INDEX), str(tmp_path / "log.csv"), "--out", str(tmp_path / "out"), *given]
    done = CliRunner().invoke(app, call)
    assert done.exit_code == 1, done.output
    assert said in " ".join(done.output.split())
    assert not (tmp_path / "out").exists()
