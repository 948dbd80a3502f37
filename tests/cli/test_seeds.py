"""genrec train --seeds: one command, a recommender a seed, mean, spread and paired tests."""

import json

import pytest
from support import TINY_TRAINING
from typer.testing import CliRunner

from genrec.cli.main import app
from genrec.cli.several import _named
from genrec.recommender import Recommender


def run(*arguments):
    return CliRunner().invoke(app, [str(one) for one in arguments])


def settings(changes):
    return [part for change in changes for part in ("--set", change)]


@pytest.fixture(scope="module")
def runs(tables, tiny_index, tmp_path_factory):
    """Two seeds with counts, and the command that made them."""
    folder = tmp_path_factory.mktemp("seeds")
    tiny_index.save(folder / "index")
    command = ["train", folder / "index", tables[1], *settings(TINY_TRAINING)]
    command += ["--set", "generation.prior.name=transition-counts", "--seeds", "0", "1", "--out", folder / "runs"]
    return run(*command), folder / "runs", command


def test_two_seeds_are_two_recommenders_and_a_table(runs):
    result, out, _ = runs
    assert result.exit_code == 0, result.output
    one, two, mean = json.loads((out / "seeds.json").read_text())
    assert (one["seed"], two["seed"], mean["seeds"]) == (0, 1, [0, 1])
    assert mean["ndcg@10"] == pytest.approx((one["ndcg@10"] + two["ndcg@10"]) / 2)
    assert mean["ndcg@10_std"] == pytest.approx(abs(one["ndcg@10"] - two["ndcg@10"]) / 2**0.5)
    for row in (one, two, mean):
        assert row["gain"] == pytest.approx(row["ndcg@10"] - row["without_ndcg@10"])
        assert row["gain_low"] <= row["gain"] <= row["gain_high"]
        assert 0 < row["p"] <= 1
    assert "network adds" in result.output
    assert "±" in result.output
    seeds = [Recommender.from_pretrained(out / f"seed-{seed}").config.seed for seed in (0, 1)]
    assert seeds == [0, 1]


def test_the_same_command_again_trains_nothing(runs):
    _, out, command = runs
    stamps = [(out / f"seed-{seed}" / "recommender.json").stat().st_mtime_ns for seed in (0, 1)]
    assert run(*command).exit_code == 0
    assert [(out / f"seed-{seed}" / "recommender.json").stat().st_mtime_ns for seed in (0, 1)] == stamps


def test_a_run_that_fails_at_once_leaves_no_folder(runs, tmp_path):
    """The loss becomes no number in the first epoch: there is nothing to go on with."""
    _, _, command = runs
    start = command[: command.index("--seeds")]
    wrong = settings(["trainer.learning_rate=1e30", "trainer.max_grad_norm=0", "trainer.warmup_steps=0"])
    failed = run(*start, *wrong, "--seeds", "0", "1", "--out", tmp_path / "new" / "runs")
    assert failed.exit_code == 1
    assert "loss is no number" in failed.output
    assert not list(tmp_path.iterdir())


def test_what_is_no_set_of_seeds_is_refused(runs, tmp_path):
    _, out, command = runs
    start = command[: command.index("--seeds")]
    assert "given twice" in run(*start, "--seeds", "1", "1", "--out", tmp_path / "a").output
    assert "by --seeds and by --set" in run(*start, "--set", "seed=4", "--seeds", "1", "--out", tmp_path / "a").output
    assert not (tmp_path / "a").exists()
    assert "holds something else" in run(*start, "--seeds", "2", "--out", out / "seed-0").output


def test_several_numbers_may_follow_one_name():
    given = ["a", "--seeds", "0", "1", "2", "--out", "3", "4"]
    assert list(_named(given)) == ["a", "--seeds", "0", "--seeds", "1", "--seeds", "2", "--out", "3", "4"]
    assert list(_named(["--seeds", "0", "--seeds", "1", "x", "2"])) == ["--seeds", "0", "--seeds", "1", "x", "2"]
    assert list(_named(["--", "--seeds", "0", "1"])) == ["--", "--seeds", "0", "1"]


@pytest.mark.parametrize("seed", ["-1", "4294967296", "99999999999999999999"])
@pytest.mark.parametrize(
    "command", [("audit", "--seed"), ("baseline", "--seed"), ("train", "--seeds"), ("demo", "--seed")]
)
def test_a_seed_out_of_range_is_a_usage_error_everywhere(command, seed, tmp_path):
    tables = {"audit": ["a", "b"], "baseline": ["sasrec", "a", "b"], "train": ["a", "b"], "demo": []}[command[0]]
    done = CliRunner().invoke(app, [command[0], *tables, "--out", str(tmp_path / "out"), command[1], seed])
    assert done.exit_code == 2, done.output
    assert command[1] in done.output
    assert not (tmp_path / "out").exists()
