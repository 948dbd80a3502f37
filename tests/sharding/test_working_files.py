"""Working files of a job that were damaged, by a loss of power or by somebody: cut again, or one error."""

import json
import shutil

import polars as pl
import pytest

from genrec.baselines.popularity import Popularity
from genrec.data import Interactions
from genrec.errors import ArtifactError
from genrec.sharding import JobSettings, run_sharded
from genrec.sharding import shard as making

STRANGE = [None, "x", -1, float("inf"), [], {}, [1], {"a": 1}, True, 10**30, {"rows-read": None}, {"unknown-items": -5}]


@pytest.fixture(scope="module")
def counts(tables, tmp_path_factory):
    folder = tmp_path_factory.mktemp("baseline") / "popularity"
    table = Interactions.read(tables[1])
    items = sorted(table.item_ids.to_list())
    Popularity().fit(table.histories(items), items).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def job(counts, tables):
    return lambda out: run_sharded(JobSettings(str(counts), k=3), tables[1], out, shard_users=20)


@pytest.fixture(scope="module")
def stopped(job, tmp_path_factory):
    """A job that was stopped in its third shard."""
    folder, made, make = tmp_path_factory.mktemp("stopped") / "recs", [], making.make_shard

    def stop(*arguments):
        made.append(1)
        if len(made) == 3:
            raise KeyboardInterrupt
        return make(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(making, "make_shard", stop)
        with pytest.raises(KeyboardInterrupt):
            job(folder)
    return folder


@pytest.fixture(scope="module")
def whole(job, tmp_path_factory):
    """What the job makes."""
    folder = tmp_path_factory.mktemp("whole") / "recs"
    job(folder)
    return folder


def rows_of(folder):
    return pl.concat([pl.read_parquet(path) for path in sorted(folder.glob("part-0000[0-3].parquet"))])


def put(path, value):
    path.write_text(value if isinstance(value, str) else json.dumps(value))


def each(folder, change):
    for path in (folder / ".work" / "rows").glob("rows-*.bin"):
        change(path)


DAMAGE = {
    "counts gone": lambda folder: (folder / ".work" / "spooled.json").unlink(),
    "times gone": lambda folder: (folder / ".work" / "rows" / "times.json").unlink(),
    "rows gone": lambda folder: each(folder, lambda path: path.unlink()),
    "rows empty": lambda folder: each(folder, lambda path: path.write_bytes(b"")),
    "rows cut": lambda folder: each(folder, lambda path: path.write_bytes(path.read_bytes()[:-7])),
    "no folder of rows": lambda folder: (shutil.rmtree(folder / ".work" / "rows"), put(folder / ".work" / "rows", "x")),
    "no folder": lambda folder: (shutil.rmtree(folder / ".work"), put(folder / ".work", "x")),
    "counts are no JSON": lambda folder: put(folder / ".work" / "spooled.json", "{"),
    "times are no JSON": lambda folder: put(folder / ".work" / "rows" / "times.json", "{"),
}


@pytest.mark.parametrize("name", sorted(DAMAGE))
def test_the_same_job_ends_with_the_same_rows(name, stopped, whole, job, tmp_path):
    shutil.copytree(stopped, tmp_path / "recs")
    DAMAGE[name](tmp_path / "recs")
    job(tmp_path / "recs")
    assert rows_of(tmp_path / "recs").equals(rows_of(whole))
    assert not (tmp_path / "recs" / ".work").exists()


@pytest.mark.parametrize("file", ["spooled.json", "rows/times.json"])
def test_any_value_of_a_working_file(file, stopped, whole, job, tmp_path):
    for n, value in enumerate(STRANGE):
        folder = tmp_path / str(n)
        shutil.copytree(stopped, folder)
        put(folder / ".work" / file, json.dumps(value))
        job(folder)
        assert rows_of(folder).equals(rows_of(whole)), value


@pytest.mark.parametrize("key", ["genrec", "users", "problems"])
def test_any_value_in_a_shard_is_damage_that_is_made_again(key, stopped, whole, job, tmp_path):
    for n, value in enumerate(STRANGE):
        if (key, value) == ("problems", {}):  # nothing was
            continue
        folder = tmp_path / str(n)
        shutil.copytree(stopped, folder)
        part = folder / "part-00000.parquet"
        frame, about = pl.read_parquet(part), pl.read_parquet_metadata(part)
        about.pop("ARROW:schema", None)
        said = value if key == "genrec" else {**json.loads(about["genrec"]), key: value}
        frame.write_parquet(part, metadata={**about, "genrec": json.dumps(said)})
        job(folder)
        assert rows_of(folder).equals(rows_of(whole)), value
        assert part.read_bytes() == (whole / part.name).read_bytes()


def test_rows_that_cannot_be_read_are_one_error(stopped, job, tmp_path):
    for n, content in enumerate((b"\xff", b"\x00")):
        folder = tmp_path / str(n)
        shutil.copytree(stopped, folder)
        each(folder, lambda path, content=content: path.write_bytes(content * path.stat().st_size))
        with pytest.raises(ArtifactError, match="working files of this job are damaged") as told:
            job(folder)
        assert "Remove this folder" in str(told.value)


@pytest.mark.parametrize("name", [".work", ".work/rows"])
def test_nothing_behind_a_link_is_touched(name, stopped, whole, job, tmp_path):
    mine, folder = tmp_path / "mine", tmp_path / "recs"
    (mine / "rows").mkdir(parents=True)
    (mine / "rows" / "letter.txt").write_text("dear")
    (mine / "rows-00000.bin").write_text("mine")
    shutil.copytree(stopped, folder)
    shutil.rmtree(folder / name)
    (folder / name).symlink_to(mine)
    job(folder)
    assert sorted(path.name for path in mine.rglob("*")) == ["letter.txt", "rows", "rows-00000.bin"]
    assert (mine / "rows" / "letter.txt").read_text() == "dear"
    assert rows_of(folder).equals(rows_of(whole))


def test_a_folder_and_a_file_that_look_like_shards(whole, job, tmp_path, caplog):
    shutil.copytree(whole, tmp_path / "recs")
    shutil.copy(whole / "part-00000.parquet", tmp_path / "recs" / "part-00009.parquet")
    job(tmp_path / "recs")
    assert "part-00009.parquet is no shard of this job" in caplog.text
    (tmp_path / "recs" / "part-00001.parquet").unlink()
    (tmp_path / "recs" / "part-00001.parquet").mkdir()
    with pytest.raises(ArtifactError, match="A folder stands where a file of this job belongs"):
        job(tmp_path / "recs")
