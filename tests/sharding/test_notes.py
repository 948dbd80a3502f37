"""What of a job's settings and lists makes no difference is told once, whoever makes the shards."""

import pytest

from genrec.sharding import JobSettings, run_sharded


@pytest.mark.parametrize(("engine", "workers"), [("local", 1), ("local", 2), ("ray", 2)])
def test_notes_of_workers_reach_the_caller(engine, workers, trained, tables, tmp_path, caplog, request):
    if engine == "ray":
        request.getfixturevalue("no_ray")
    (tmp_path / "deny.csv").write_text("item_id\ni001\nnever\n")
    (tmp_path / "prior.csv").write_text("item_id,score\ni002,1.5\nnowhere,2\n")
    settings = JobSettings(
        str(trained[1]),
        k=3,
        changes=("diversity_penalty=2", "prior_weight=2"),
        where=("categories=home",),
        deny=str(tmp_path / "deny.csv"),
        prior=str(tmp_path / "prior.csv"),
    )
    run_sharded(settings, tables[1], tmp_path / "out", shard_users=20, engine=engine, workers=workers)
    said = [record.getMessage() for record in caplog.records]
    assert said.count("Settings that change nothing, since groups is 1: diversity_penalty.") == 1
    assert not [line for line in said if "prior_weight" in line]
    assert len([line for line in said if "'never'" in line]) == 1
    assert len([line for line in said if "'nowhere'" in line]) == 1
    assert said.count("40 of 60 items: categories=home") == 1


def test_a_weight_of_no_prior_is_told(trained, tables, tmp_path, caplog):
    settings = JobSettings(str(trained[1]), k=3, changes=("prior_weight=2",))
    run_sharded(settings, tables[1], tmp_path / "out", shard_users=40)
    assert "since there is no prior beside the request: prior_weight." in caplog.text
