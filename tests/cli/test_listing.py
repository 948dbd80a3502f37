"""What there is by name, and what a name stands for."""

import re

import pytest
import yaml
from typer.testing import CliRunner

from genrec.cli.main import app
from genrec.config import parse
from genrec.generative.config import TrainConfig, load_train_config


def run(*arguments, code=0):
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == code, done.output
    return done.output


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("recipes", "rq-kmeans-3x256"),
        ("presets", "item-decoder-small"),
        ("prompts", "next-item"),
        ("baselines", "transition-counts"),
        ("metrics", "ndcg"),
        ("networks", "item-decoder"),
        ("objectives", "trie-masked"),
        ("transforms", "llm4dsr"),
        ("encoders", "lsa"),
        ("quantizers", "rq-vae"),
    ],
)
def test_names_come_with_a_line_about_each(kind, name):
    lines = [line.split(None, 1) for line in run("list", kind).splitlines()[1:]]
    about = {line[0]: line[1] for line in lines if len(line) == 2}
    assert len(about[name].split()) > 3
    assert "``" not in about[name]
    assert not re.search(r":\w+:`", "".join(about.values()))


def test_a_configuration_is_shown_with_every_default_and_change():
    shown = yaml.safe_load(run("config", "show", "item-decoder-small", "--set", "model.dropout=0.5"))
    assert parse(TrainConfig, shown) == load_train_config("item-decoder-small", ["model.dropout=0.5"])
    assert yaml.safe_load(run("config", "show", "rq-kmeans-3x256"))["quantizer"]["levels"] == 3
    assert "domains" in yaml.safe_load(run("config", "show", "recgpt-pretrain"))
    assert "Did you mean" in run("config", "show", "item-decoder-smal", code=1)


def test_the_short_form_of_help():
    assert run("-h") == run("--help")
    assert "Usage" in run("train", "-h")
