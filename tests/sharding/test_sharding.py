"""Sharded batch work: the same rows as one table, from any kind of file, after any stop."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from genrec.batch import generate
from genrec.data import Interactions
from genrec.data.rules import RULES
from genrec.errors import ArtifactError, DataError, ModelError
from genrec.recommender import Recommender
from genrec.sharding import JobSettings, run_sharded
from genrec.sharding.job import ShardedJob, read_manifest
from genrec.sharding.spool import HistoryColumns, Spool, measure, user_hashes
from genrec.sharding.store import ArrowStore, LocalStore
from genrec.sharding.workers import run_workers


@pytest.fixture(scope="module")
def baseline(trained, tables, tmp_path_factory):
    """A saved recommender that answers at once."""
    from genrec.baselines.fit import train_baseline
    from genrec.data.split import split_for
    from genrec.generative.recommender import GenerativeRecommender

    loaded = GenerativeRecommender.from_pretrained(trained[1])
    split = split_for(Interactions.read(tables[1]), loaded.index, loaded.config)
    folder = tmp_path_factory.mktemp("baseline") / "counts"
    train_baseline("transition-counts", split, loaded.item_ids).save_pretrained(folder)
    return folder


def rows_of(out):
    return pl.concat([pl.read_parquet(path) for path in sorted(out.glob("part-*.parquet"))])


def files_of(out):
    return {path.name: path.read_bytes() for path in sorted(out.iterdir()) if path.is_file()}


def test_shards_hold_what_one_table_holds(trained, tables, tmp_path):
    made = run_sharded(JobSettings(str(trained[1]), k=5), tables[1], tmp_path / "out", shard_users=20)
    recommender = Recommender.from_pretrained(trained[1])
    histories = Interactions.read(tables[1]).histories(recommender.item_ids)
    whole = generate(recommender, histories, 5, titles=recommender.index.catalog.titles()).frame
    mine = rows_of(tmp_path / "out").sort("user_id", "rank")
    whole = whole.sort("user_id", "rank")
    assert mine.drop("score").equals(whole.drop("score"))
    np.testing.assert_allclose(mine["score"], whole["score"], atol=1e-5)
    assert made["users"] == len(histories)
    assert made["rows"] == whole.height
    assert made["complete"]
    assert len(made["parts"]) == 4
    assert sum(part["users"] for part in made["parts"]) == len(histories)
    assert not (tmp_path / "out" / ".work").exists()


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet", "folder"])
def test_every_kind_of_table_gives_the_same_shards(kind, baseline, tables, tmp_path, monkeypatch):
    monkeypatch.setattr("genrec.data.pieces.BLOCK", 500)
    frame = pl.read_csv(tables[1])
    source = tmp_path / f"histories.{kind}"
    if kind == "csv":
        frame.write_csv(source)
    elif kind == "tsv":
        frame.write_csv(source, separator="\t")
    elif kind == "jsonl":
        frame.write_ndjson(source)
    elif kind == "parquet":
        frame.write_parquet(source, row_group_size=50)
    else:
        source.mkdir()
        frame[:200].write_parquet(source / "a.parquet")
        frame[200:].write_parquet(source / "b.parquet")
    run_sharded(JobSettings(str(baseline), k=5), source, tmp_path / "out", shard_users=20)
    run_sharded(JobSettings(str(baseline), k=5), tables[1], tmp_path / "plain", shard_users=20)
    assert rows_of(tmp_path / "out").equals(rows_of(tmp_path / "plain"))


def test_line_breaks_inside_quoted_fields_do_not_end_a_piece(baseline, tables, tmp_path, monkeypatch):
    monkeypatch.setattr("genrec.data.pieces.BLOCK", 100)
    frame = pl.read_csv(tables[1]).with_columns(note=pl.lit('two\nlines, "quoted"'))
    frame.write_csv(tmp_path / "notes.csv")
    made = run_sharded(JobSettings(str(baseline), k=5), tmp_path / "notes.csv", tmp_path / "out", shard_users=20)
    run_sharded(JobSettings(str(baseline), k=5), tables[1], tmp_path / "plain", shard_users=20)
    assert rows_of(tmp_path / "out").equals(rows_of(tmp_path / "plain"))
    assert made["left_out"] == {}


def test_what_is_left_out_is_counted(baseline, tables, tmp_path):
    frame = pl.read_csv(tables[1], schema_overrides={"timestamp": pl.String})
    extra = pl.DataFrame(
        {
            "user_id": ["u000", "nobody", "", "u001"],
            "item_id": ["unknown", "unknown", "i001", "i002"],
            "timestamp": ["1", "2", "3", "not a time"],
        }
    )
    text = pl.concat([frame, extra]).write_csv() + "u002,i003,4,one field too many\n"
    (tmp_path / "h.csv").write_text(text)
    made = run_sharded(JobSettings(str(baseline), k=5), tmp_path / "h.csv", tmp_path / "out", shard_users=20)
    assert made["left_out"] == {
        "broken-rows": 1,
        "missing-ids": 1,
        "unknown-items": 2,
        "users-without-items": 1,
        "unreadable-timestamps": 1,
    }
    assert made["users"] == frame["user_id"].n_unique()


def test_too_many_lost_rows_end_a_job_that_goes_on_when_they_are_allowed(baseline, tables, tmp_path, monkeypatch):
    frame = pl.read_csv(tables[1], schema_overrides={"timestamp": pl.String})
    strange = frame.with_columns(
        item_id=pl.when(pl.int_range(pl.len()) % 3 == 0).then(pl.lit("x")).otherwise("item_id")
    )
    strange.write_csv(tmp_path / "h.csv")
    settings, out = JobSettings(str(baseline), k=5), tmp_path / "out"
    with pytest.raises(DataError, match=r"would be lost(.|\n)*unknown-items(.|\n)*--allow-lost"):
        run_sharded(settings, tmp_path / "h.csv", out, shard_users=20)
    parts = {path.name: path.stat().st_mtime_ns for path in out.glob("part-*")}
    assert len(parts) == 4
    made = run_sharded(settings, tmp_path / "h.csv", out, shard_users=20, allow_lost=0.4)
    assert {path.name: path.stat().st_mtime_ns for path in out.glob("part-*")} == parts
    assert made["left_out"]["unknown-items"] == (strange["item_id"] == "x").sum()
    monkeypatch.setattr("genrec.sharding.run._ENOUGH", 10)
    with pytest.raises(DataError, match="would be lost"):
        run_sharded(settings, tmp_path / "h.csv", tmp_path / "early", shard_users=20)
    assert len(list((tmp_path / "early").glob("part-*"))) == 1
    blank = frame.with_columns(user_id=pl.when(pl.int_range(pl.len()) % 9 == 0).then(None).otherwise("user_id"))
    blank.write_csv(tmp_path / "h.csv")
    with pytest.raises(DataError, match="missing-ids"):
        run_sharded(settings, tmp_path / "h.csv", tmp_path / "blank", shard_users=20)
    assert not list((tmp_path / "blank").glob("part-*"))


def test_a_shard_of_which_no_time_can_be_read_is_counted(baseline, tables, tmp_path):
    frame = pl.read_csv(tables[1], schema_overrides={"timestamp": pl.String})
    bad = frame.with_columns(timestamp=pl.when(pl.col("user_id") == "u003").then(pl.lit("soon")).otherwise("timestamp"))
    bad.write_csv(tmp_path / "h.csv")
    made = run_sharded(JobSettings(str(baseline), k=5), tmp_path / "h.csv", tmp_path / "out", shard_users=1)
    assert made["left_out"]["unreadable-timestamps"] == (frame["user_id"] == "u003").sum()
    assert made["users"] == frame["user_id"].n_unique() - 1


def test_a_job_goes_on_where_it_stopped_and_ends_with_the_same_bytes(baseline, tables, tmp_path, monkeypatch):
    settings = JobSettings(str(baseline), k=5)
    run_sharded(settings, tables[1], tmp_path / "whole", shard_users=10)
    from genrec.sharding import shard

    made, true = [], shard.generate

    def dies(*args, **options):
        if len(made) == 3:
            raise KeyboardInterrupt
        made.append(args)
        return true(*args, **options)

    monkeypatch.setattr(shard, "generate", dies)
    with pytest.raises(KeyboardInterrupt):
        run_sharded(settings, tables[1], tmp_path / "out", shard_users=10)
    first = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("part-*")}
    assert len(first) == 3
    assert not read_manifest(LocalStore(tmp_path / "out"))["complete"]
    monkeypatch.setattr(shard, "generate", true)
    run_sharded(settings, tables[1], tmp_path / "out", shard_users=10)
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")
    assert all((tmp_path / "out" / name).stat().st_mtime_ns == at for name, at in first.items())
    before = files_of(tmp_path / "out")
    run_sharded(settings, tables[1], tmp_path / "out", shard_users=10)  # it has ended: nothing is done
    assert files_of(tmp_path / "out") == before


@pytest.mark.parametrize("complete", [True, False])
def test_damaged_shards_are_made_again_and_said(baseline, tables, tmp_path, caplog, complete):
    settings, out = JobSettings(str(baseline), k=5), tmp_path / "out"
    run_sharded(settings, tables[1], out, shard_users=20)
    before = files_of(out)
    manifest = json.loads((out / "generate.json").read_text())
    if not complete:
        (out / "generate.json").write_text(json.dumps(manifest | {"complete": False}))
    damages = [lambda old: old[: len(old) // 2], lambda old: b""]
    if complete:  # only a finished job knows what was in a shard
        damages += [lambda old: before["part-00003.parquet"], lambda old: old[:40] + bytes([old[40] ^ 1]) + old[41:]]
    for damage in damages:
        path = out / "part-00001.parquet"
        path.write_bytes(damage(before[path.name]))
        caplog.clear()
        run_sharded(settings, tables[1], out, shard_users=20)
        assert files_of(out) == before
        assert [record.getMessage() for record in caplog.records if "damaged" in record.getMessage()] == [
            f"{path} was changed or damaged: it is made again"
        ]


def test_what_killed_processes_left_in_the_result_is_removed(baseline, tables, tmp_path):
    """Of the first manifest, of shards, and the working files where the job had ended; nothing of others."""
    settings, out = JobSettings(str(baseline), k=5), tmp_path / "out"
    run_sharded(settings, tables[1], tmp_path / "whole", shard_users=20)
    out.mkdir()
    temporary = f".{'0' * 16}.tmp"
    left = [out / f".generate.json{temporary}", out / f".part-00003.parquet{temporary}"]
    left[0].touch()
    run_sharded(settings, tables[1], out, shard_users=20)
    assert files_of(out) == files_of(tmp_path / "whole")
    (out / "part-00003.parquet").unlink()
    manifest = json.loads((out / "generate.json").read_text())
    (out / "generate.json").write_text(json.dumps(manifest | {"complete": False}))
    for path in left:
        path.touch()
    run_sharded(settings, tables[1], out, shard_users=20)
    (out / ".work" / "rows").mkdir(parents=True)
    for path in left:
        path.touch()
    (out / f".notes{temporary}").touch()
    run_sharded(settings, tables[1], out, shard_users=20)
    assert sorted(set(os.listdir(out)) ^ set(os.listdir(tmp_path / "whole"))) == [f".notes{temporary}"]


def test_places_of_a_cluster_are_swept_too(tmp_path):
    pytest.importorskip("pyarrow")
    store = ArrowStore(f"file://{tmp_path}")
    for name in ("part-00001.parquet.77.tmp", "part-00001.parquet", "notes.77.tmp"):
        (tmp_path / name).touch()
    ShardedJob(store, tmp_path / "work", {}, 1).sweep()
    assert store.names() == ["notes.77.tmp", "part-00001.parquet"]


def test_one_job_at_a_time_writes_a_result(baseline, tables, tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", "import sys\nfrom genrec.artifacts import output_lock\n"
         "with output_lock(sys.argv[1]):\n    print(flush=True)\n    sys.stdin.readline()", str(tmp_path / "out")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    holder.stdout.readline()
    with pytest.raises(ArtifactError, match=f"being written by process {holder.pid}"):
        run_sharded(JobSettings(str(baseline)), tables[1], tmp_path / "out")
    holder.communicate("\n")
    with pytest.raises(ArtifactError, match="inside an artefact"):
        run_sharded(JobSettings(str(baseline)), tables[1], baseline / "recs")
    with pytest.raises(ArtifactError, match="cannot be written"):
        run_sharded(JobSettings(str(baseline)), tables[1], "/proc/genrec/recs")
    assert os.listdir(tmp_path) == []


def test_changed_inputs_and_settings_are_refused_by_name(baseline, tables, tmp_path):
    source = tmp_path / "h.csv"
    source.write_bytes(tables[1].read_bytes())
    run_sharded(JobSettings(str(baseline), k=5), source, tmp_path / "out", shard_users=20)
    with pytest.raises(ArtifactError, match=r"settings\.k was 5, is 6"):
        run_sharded(JobSettings(str(baseline), k=6), source, tmp_path / "out", shard_users=20)
    source.write_bytes(tables[1].read_bytes() + b"u000,i001,1\n")
    with pytest.raises(ArtifactError, match=r"histories.files was .*"):
        run_sharded(JobSettings(str(baseline), k=5), source, tmp_path / "out", shard_users=20)
    run_sharded(JobSettings(str(baseline), k=6), source, tmp_path / "out", shard_users=40, overwrite=True)
    assert len(list((tmp_path / "out").glob("part-*"))) == 2


def test_a_folder_of_something_else_is_never_touched(baseline, tables, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(ArtifactError, match="no batch job"):
            run_sharded(JobSettings(str(baseline)), tables[1], tmp_path / "out", overwrite=overwrite)
    assert (tmp_path / "out" / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"identity": 3, "shards": 2}', '{"identity": {}, "shards": "x"}'])
def test_damaged_manifests_are_said(text, baseline, tables, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "generate.json").write_text(text)
    with pytest.raises(ArtifactError, match=r"damaged|version"):
        run_sharded(JobSettings(str(baseline)), tables[1], tmp_path / "out")


def test_bad_histories_are_one_error(baseline, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no table"):
        run_sharded(JobSettings(str(baseline)), tmp_path / "empty", tmp_path / "out")
    (tmp_path / "h.csv").write_text("customer,sku\na,b\n")
    with pytest.raises(DataError, match="user_id"):
        run_sharded(JobSettings(str(baseline)), tmp_path / "h.csv", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_users_are_cut_evenly_and_estimated_well(tmp_path):
    pl.DataFrame({"user_id": [f"u{n}" for n in range(300_000)]}).write_parquet(tmp_path / "h.parquet")
    users = measure(tmp_path / "h.parquet", HistoryColumns()).users
    assert abs(users - 300_000) < 4_000
    hashes = user_hashes(pl.Series([f"u{n}" for n in range(10_000)]))
    assert user_hashes(pl.Series(["u7", "u7"])).tolist() == [hashes[7]] * 2
    sizes = np.histogram(hashes.astype(np.float64), bins=10, range=(0, 2.0**64))[0]
    assert sizes.min() > 850
    assert sizes.max() < 1150


def test_rows_of_a_user_stay_in_their_order_without_times(tmp_path):
    frame = pl.DataFrame({"user_id": ["b", "a"] * 5, "item_id": [str(n) for n in range(10)]})
    frame.write_csv(tmp_path / "h.csv")
    spool = Spool(tmp_path / "rows", 1, HistoryColumns(time=None))
    spool.folder.mkdir()
    spool.fill(tmp_path / "h.csv", measure(tmp_path / "h.csv", spool.columns))
    histories, _ = spool.histories(0, np.array([str(n) for n in range(10)], dtype=object))
    assert [list(one) for one in histories] == [[0, 2, 4, 6, 8], [1, 3, 5, 7, 9]]
    assert histories.user_ids.tolist() == ["b", "a"]


def spool_of(folder, rows, shards=8, **how):
    table = folder / "log.csv"
    table.write_text("\n".join(["user_id,item_id,timestamp", *rows]), encoding="utf-8")
    spool = Spool(folder / "rows", shards, HistoryColumns(**how))
    spool.folder.mkdir()
    spool.fill(table, measure(table, spool.columns))
    return spool


def lists_of(spool):
    made = [spool.histories(shard, np.array(["a", "b"], dtype=object))[0] for shard in range(spool.shards)]
    return {user: one[n].tolist() for one in made for n, user in enumerate(one.user_ids.tolist())}


def test_quotes_mean_what_was_said(tmp_path):
    rows = ['"u ""x",a,1', '"u,b,2']
    for quotes, users in (("doubled", 'u "x'), ("none", '"u')):
        (tmp_path / quotes).mkdir()
        spool = spool_of(tmp_path / quotes, rows, quotes=quotes)
        assert users in lists_of(spool)
        assert measure(tmp_path / quotes / "log.csv", spool.columns).users == (2 if quotes == "none" else 1)


def test_dates_with_slashes_mean_the_same_in_every_shard(tmp_path):
    # alone, the last user's dates could only be months first
    rows = [f"v{n},a,{n % 19 + 13}/01/2024" for n in range(40)] + ["u,a,01/02/2024", "u,b,03/01/2024", "w,a,01/13/2024"]
    spool = spool_of(tmp_path, rows)
    lists = lists_of(spool)
    assert lists["u"] == [1, 0]
    assert "w" not in lists
    assert Interactions.read(tmp_path / "log.csv", allow_lost=1).histories(["a", "b"])[40].tolist() == [1, 0]
    [told] = [problem.line() for problem in spool.report.problems if problem.kind == "slash-dates"]
    assert "day first: '13/01/2024' can mean nothing else" in told


def test_dates_with_slashes_that_no_row_settles_are_refused_before_any_shard(tmp_path):
    with pytest.raises(DataError, match="day and month cannot be told apart, such as in '01/02/2024'"):
        spool_of(tmp_path, ["u,a,01/02/2024", "u,b,03/01/2024", "v,a,13/01/2024", "w,a,01/13/2024"])


def notes_of(spool, kind):
    return [(one.count, one.examples, one.advice) for one in spool.report.problems if one.kind == kind]


def test_ids_lose_the_decimals_that_all_of_the_table_have(tmp_path):
    items = np.array(["12", "13"], dtype=object)
    for name, last, users in (("all", "40.0", "40"), ("some", "abc", "40.0")):
        (tmp_path / name).mkdir()
        rows = [f"{n}.0,{12 + n % 2}.0,{n}" for n in range(41)] + [f"{last},12.0,99"]
        spool = spool_of(tmp_path / name, rows, shards=20)
        made = [spool.histories(shard, items)[0] for shard in range(20)]
        found = {user: one[n].tolist() for one in made for n, user in enumerate(one.user_ids.tolist())}
        whole = Interactions.read(tmp_path / name / "log.csv").histories(items)
        assert found == dict(zip(whole.user_ids.tolist(), [one.tolist() for one in whole], strict=True))
        assert users in found


def test_shards_without_a_usable_row_do_not_end_a_job(tmp_path):
    """A word for a missing id may have a shard of its own, and every row of a shard may lack another thing."""
    rows = ["null,a,1", "NaN,b,2", "u1,null,3", "u1,,4", "u2,a,soon", "u2,x,5", "u3,x,6", "u4,a,7", "u4,b,8"]
    spool = spool_of(tmp_path, rows, shards=40)
    assert lists_of(spool) == {"u4": [0, 1]}
    reports = [spool.report, *(spool.histories(n, np.array(["a", "b"], dtype=object))[1] for n in range(40))]
    counts = {kind: sum(one.count(kind) for one in reports) for kind in RULES}
    assert {kind: n for kind, n in counts.items() if n} == {
        "missing-ids": 4,
        "unreadable-timestamps": 1,
        "unknown-items": 2,
        "users-without-items": 3,
    }
    whole = Interactions.read(tmp_path / "log.csv", allow_lost=1)
    assert whole.histories(["a", "b"]).user_ids.tolist() == ["u4"]
    assert [whole.report.count(kind) for kind in ("missing-ids", "unreadable-timestamps", "unknown-items")] == [4, 1, 2]


def test_users_that_look_alike_or_stand_for_nobody_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr("genrec.data.pieces.BLOCK", 64)
    rows = ["ab,a,1", "guest,a,1", *(f"u{n},a,{n}" for n in range(50)), "a\u200bb,a,2", "caf\u00e9,a,3", "x y,a,1"]
    rows += ["(guest),b,4", "cafe\u0301,b,4", "x  y,b,4", "null,a,5", *["0,a,6"] * 40, "-1,a,7"]
    spool = spool_of(tmp_path, rows)
    whole = Interactions.read(tmp_path / "log.csv").report
    for kind, count in (("alike-ids", 6), ("guests", 42)):
        assert [found[0] for found in notes_of(spool, kind)] == [count] == [whole.count(kind)]
    shown = " ".join(notes_of(spool, "alike-ids")[0][1])
    assert "'a\\u200bb' (U+200B)" in shown
    assert "'x  y'" in shown


def test_memory_for_strange_users_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr("genrec.data.user_names.MOST", 10)
    monkeypatch.setattr("genrec.data.pieces.BLOCK", 64)
    rows = [f"{name},a,{n}" for n in range(40) for name in (f"b{n}", f"b{n}\u200b", f"{'(' * n}guest")]
    table = tmp_path / "log.csv"
    table.write_text("\n".join(["user_id,item_id,timestamp", *rows]), encoding="utf-8")
    measured = measure(table, HistoryColumns())
    assert measured.names._odd.height == len(measured.names._guests) == 10
    spool = Spool(tmp_path / "rows", 4, HistoryColumns())
    spool.folder.mkdir()
    spool.fill(table, measured)
    assert notes_of(spool, "alike-ids")[0][0] == 20
    assert notes_of(spool, "alike-ids")[0][2] == "Only 10 ids with such signs were compared."
    assert len(measured.names._plain) == 10


def test_a_job_tells_strange_users_once(baseline, tables, tmp_path, caplog):
    renamed = pl.col("user_id").replace("u001", "guest").replace("u002", "u000\u200b")
    pl.read_csv(tables[1]).with_columns(renamed).write_csv(tmp_path / "h.csv")
    run_sharded(JobSettings(str(baseline), k=5), tmp_path / "h.csv", tmp_path / "out", shard_users=20)
    told = [line for line in caplog.messages if "guests" in line or "alike-ids" in line]
    assert len(told) == 2


def test_numbers_among_dates_are_read_in_no_shard(tmp_path):
    spool = spool_of(tmp_path, ["u,a,2024-01-02", "u,b,2024-01-01", "v,a,2024-01-01", "w,a,5", "w,b,4"])
    assert lists_of(spool) == {"u": [1, 0], "v": [0]}


def test_two_workers_make_the_same_bytes(baseline, tables, tmp_path):
    settings = JobSettings(str(baseline), k=5)
    run_sharded(settings, tables[1], tmp_path / "one", shard_users=20)
    run_sharded(settings, tables[1], tmp_path / "two", shard_users=20, workers=2)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_a_killed_worker_is_replaced(baseline, tables, tmp_path, monkeypatch):
    """One process is killed as soon as the first shard is there; the job ends all the same."""
    settings = JobSettings(str(baseline), k=5)
    killed = []

    def kill_one(*_):
        import multiprocessing

        children = multiprocessing.active_children()
        if children and not killed:
            killed.append(children[0].pid)
            os.kill(children[0].pid, signal.SIGKILL)

    run_sharded(settings, tables[1], tmp_path / "out", shard_users=10, workers=2, progress=kill_one)
    run_sharded(settings, tables[1], tmp_path / "whole", shard_users=10)
    assert killed
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")


def test_a_shard_that_kills_every_process_ends_the_job(baseline, tables, tmp_path, monkeypatch):
    from genrec.sharding import workers

    monkeypatch.setattr(workers, "_work", _die)
    job = ShardedJob(LocalStore(tmp_path), tmp_path / "work", {}, 1)
    with pytest.raises(ModelError, match="Three processes in turn died while they made shard 0"):
        run_workers(job, JobSettings(str(baseline)), [0], 1, lambda counts: None)


def _die(pipe, job, settings, threads):
    os._exit(9)


def test_an_error_of_a_worker_is_the_error_of_the_job(baseline, tables, tmp_path):
    settings = JobSettings(str(baseline), k=5, allow=str(tmp_path / "allow.csv"))
    (tmp_path / "allow.csv").write_text("nothing\nx\n")
    with pytest.raises(DataError, match="item_id"):
        run_sharded(settings, tables[1], tmp_path / "out", shard_users=20, workers=2)


def test_workers_end_with_a_killed_main_process(baseline, tables, tmp_path):
    code = (
        "from genrec.sharding import JobSettings, run_sharded\n"
        "import time\n"
        "from genrec.sharding import workers\n"
        f"if __name__ == '__main__':\n"
        f"    run_sharded(JobSettings({str(baseline)!r}, k=5), {str(tables[1])!r}, {str(tmp_path / 'out')!r},\n"
        "                shard_users=1, workers=2)\n"
    )
    script = tmp_path / "job.py"
    script.write_text(code)
    process = subprocess.Popen([sys.executable, str(script)])
    deadline = time.monotonic() + 60
    while not list((tmp_path / "out").glob("part-*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    children = _children(process.pid)
    process.kill()
    process.wait()
    deadline = time.monotonic() + 60  # of its own: on a busy machine the start may have taken the first one
    while any(_alive(child) for child in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert children
    assert not any(_alive(child) for child in children)
    run_sharded(JobSettings(str(baseline), k=5), tables[1], tmp_path / "out", shard_users=1)
    assert json.loads((tmp_path / "out" / "generate.json").read_text())["complete"]


def _children(pid):
    found = []
    for stat in os.listdir("/proc"):
        if stat.isdigit():
            try:
                fields = Path(f"/proc/{stat}/stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == pid:
                found.append(int(stat))
    return found


def _alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_files_of_the_current_folder_do_not_stand_in_for_pythons_own(baseline, tables, tmp_path, monkeypatch):
    """Workers are new Pythons, which look into the folder that they start in."""
    here = tmp_path / "here"
    here.mkdir()
    for name in ("types", "random", "yaml", "json", "numpy", "polars", "genrec"):
        (here / f"{name}.py").write_text("raise SystemExit('not this one')\n")
    monkeypatch.chdir(here)
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    made = run_sharded(JobSettings(str(baseline), k=5), tables[1], tmp_path / "out", shard_users=40, workers=2)
    assert made["users"] == 80
    assert "PYTHONSAFEPATH" not in os.environ
