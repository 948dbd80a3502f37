"""A manifest covers every file and itself; whatever is wrong with it is one ArtifactError."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrec.artifacts import read_manifest, read_whole, write_manifest
from genrec.artifacts.manifest import _own_digest
from genrec.errors import ArtifactError, ConfigError, MissingExtraError

NAME = "index.json"


def make(folder):
    (folder / "deep").mkdir(parents=True)
    (folder / "a.txt").write_text("a")
    (folder / "deep" / "b.txt").write_text("b")
    write_manifest(folder, NAME, {"kind": "thing", "n": 3, "share": 0.5, "names": ["x"], "sizes": [2, 3]})
    return folder


def edit(folder, change, *, signed=False):
    manifest = json.loads((folder / NAME).read_text())
    change(manifest)
    if signed:
        manifest["sha256"] = _own_digest(manifest)
    (folder / NAME).write_text(json.dumps(manifest))


def refused(folder, match):
    with pytest.raises(ArtifactError, match=match):
        read_manifest(folder, NAME, "thing")


def test_what_was_written_is_read(tmp_path):
    manifest = read_manifest(make(tmp_path / "x"), NAME, "thing")
    assert set(manifest["files"]) == {"a.txt", "deep/b.txt"}
    assert (manifest.need("n", int), manifest.need("n", float), manifest.need("share", float)) == (3, 3.0, 0.5)
    assert (manifest.texts("names"), manifest.numbers("sizes", least=2)) == (["x"], [2, 3])


@pytest.mark.parametrize(
    ("key", "kind"), [("nothing", str), ("n", str), ("kind", int), ("share", int), ("names", dict), ("kind", list)]
)
def test_values_that_are_missing_or_of_another_type_are_named(tmp_path, key, kind):
    manifest = read_manifest(make(tmp_path / "x"), NAME, "thing")
    with pytest.raises(ArtifactError, match=f"'{key}' is"):
        manifest.need(key, kind)
    for wrong in ("kind", "n", "nothing", "names"):
        with pytest.raises(ArtifactError, match=wrong):
            manifest.numbers(wrong)
    for wrong in ("kind", "n", "nothing", "sizes"):
        with pytest.raises(ArtifactError, match=wrong):
            manifest.texts(wrong)


EDITS = {
    "a value": lambda m: m.update(n=4),
    "a new key": lambda m: m.update(extra=1),
    "a key less": lambda m: m.pop("n"),
    "no digest": lambda m: m.pop("sha256"),
    "another digest": lambda m: m.update(sha256="0" * 64),
    "no files": lambda m: m.update(files={}),
    "a file less": lambda m: m["files"].pop("a.txt"),
    "an older version": lambda m: m.update(format_version=1),
}


@pytest.mark.parametrize("name", sorted(EDITS))
def test_every_edit_is_noticed(tmp_path, name):
    edit(make(tmp_path / "x"), EDITS[name])
    refused(tmp_path / "x", "was changed or damaged")


SIGNED = {
    "no files": (lambda m: m.update(files={}), "does not know: a.txt"),
    "files of another kind": (lambda m: m.update(files=["a.txt"]), "'files' is a list"),
    "no word of files": (lambda m: m.pop("files"), "'files' is missing"),
    "a newer version": (lambda m: m.update(format_version=99), "format version 99"),
    "a version of another kind": (lambda m: m.update(format_version=[1]), r"format version \[1\]"),
    "a truth value": (lambda m: m.update(format_version=True), "format version True"),
    "no digest of a file": (lambda m: m["files"].update({"a.txt": None}), "cannot be"),
    "another digest of a file": (lambda m: m["files"].update({"a.txt": "0" * 64}), "changed or damaged"),
    "a file that is not there": (lambda m: m["files"].update({"c.txt": "0" * 64}), "missing"),
    "a folder": (lambda m: m["files"].update({"deep": "0" * 64}), "missing"),
}


@pytest.mark.parametrize("name", sorted(SIGNED))
def test_a_manifest_with_the_right_digest_is_checked_all_the_same(tmp_path, name):
    change, message = SIGNED[name]
    edit(make(tmp_path / "x"), change, signed=True)
    refused(tmp_path / "x", message)


@pytest.mark.parametrize(
    "path", ["/etc/hostname", "../x/a.txt", "deep/../a.txt", "./a.txt", "", "a\\b", "C:a", "deep//b"]
)
def test_paths_that_leave_the_folder_are_refused(tmp_path, path):
    edit(make(tmp_path / "x"), lambda m: m["files"].update({path: "0" * 64}), signed=True)
    refused(tmp_path / "x", "cannot be")


def test_files_that_the_manifest_does_not_know_are_refused(tmp_path):
    folder = make(tmp_path / "x")
    for path in ("new.txt", "deep/new.txt", "deep/index.json", "deep/.hidden", ".hidden"):
        (folder / path).write_text("x")
        refused(folder, "does not know")
        (folder / path).unlink()
    (folder / "other").symlink_to(tmp_path, target_is_directory=True)
    refused(folder, "does not know: other")
    (folder / "other").unlink()
    for path in (".DS_Store", ".gitattributes", ".git/config"):  # left by other tools at the top, never read
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text("x")
    read_manifest(folder, NAME, "thing")


def test_links_out_of_the_folder_are_refused_but_for_those_of_the_hub_cache(tmp_path):
    folder = make(tmp_path / "x")
    (folder / "a.txt").rename(tmp_path / "a.txt")
    (folder / "a.txt").symlink_to(tmp_path / "a.txt")
    refused(folder, "leads out of its folder")
    repository = tmp_path / "models--somebody--thing"
    (repository / "blobs").mkdir(parents=True)
    snapshot = make(repository / "snapshots" / "0123")
    (snapshot / "a.txt").rename(repository / "blobs" / "aaaa")
    (snapshot / "a.txt").symlink_to("../../blobs/aaaa")
    read_manifest(snapshot, NAME, "thing")
    (snapshot / "a.txt").unlink()
    (snapshot / "a.txt").symlink_to(tmp_path / "a.txt")
    refused(snapshot, "leads out of its folder")


def test_an_old_manifest_left_out_nested_ones_of_its_name(tmp_path):
    folder = make(tmp_path / "x")
    manifest = json.loads((folder / NAME).read_text()) | {"format_version": 1}
    del manifest["sha256"]
    (folder / NAME).write_text(json.dumps(manifest))
    (folder / "deep" / NAME).write_text("{}")
    read_manifest(folder, NAME, "thing")
    (folder / "deep" / "else.json").write_text("{}")
    refused(folder, "does not know")


@given(st.binary(max_size=40), st.integers(0, 2**16), st.integers(0, 8))
def test_any_damage_of_the_bytes_is_one_error(tmp_path_factory, new, at, cut):
    folder = make(tmp_path_factory.mktemp("m") / "x")
    before = (folder / NAME).read_bytes()
    at %= len(before)
    after = before[:at] + new + before[at + cut :]
    (folder / NAME).write_bytes(after)
    try:
        same = json.loads(after) == json.loads(before)
    except ValueError:
        same = False
    if same:
        read_manifest(folder, NAME, "thing")
    else:
        with pytest.raises(ArtifactError):
            read_manifest(folder, NAME, "thing")


@pytest.mark.parametrize("text", ["", "[]", "3", "null", '"x"', "{", "[" * 100_000, "\udcff"])
def test_other_content_is_damage(tmp_path, text):
    make(tmp_path / "x")
    (tmp_path / "x" / NAME).write_bytes(text.encode("utf-8", "surrogateescape"))
    refused(tmp_path / "x", "damaged|format version")


def test_a_folder_that_is_replaced_while_it_is_read_is_read_again(tmp_path):
    make(tmp_path / "x")
    made = iter(range(100))

    def replace():
        os.rename(tmp_path / "x", tmp_path / f"old{next(made)}")
        make(tmp_path / "x")

    calls = []

    def load():
        calls.append(1)
        if len(calls) == 1:
            replace()
            raise KeyError("codes")  # of two versions
        if len(calls) == 2:
            replace()
        return len(calls)

    assert read_whole(tmp_path / "x", "thing", load) == 3
    with pytest.raises(ArtifactError, match="replaced again and again"):
        read_whole(tmp_path / "x", "thing", replace)


@pytest.mark.parametrize("error", [KeyError("a"), TypeError("b"), OSError(5, "c"), RecursionError(), MemoryError()])
def test_whatever_foreign_content_breaks_is_one_error(tmp_path, error):
    def load():
        raise error

    with pytest.raises(ArtifactError, match="thing is damaged or of another version"):
        read_whole(tmp_path, "thing", load)


def test_errors_of_settings_become_the_artefacts_and_others_stay(tmp_path):
    def raises(error):
        def load():
            raise error

        return load

    with pytest.raises(ArtifactError, match="Unknown quantizer"):
        read_whole(tmp_path, "thing", raises(ConfigError("Unknown quantizer.")))
    with pytest.raises(MissingExtraError):
        read_whole(tmp_path, "thing", raises(MissingExtraError("peft", "lora")))
