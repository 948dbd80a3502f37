"""Artefacts of every kind whose content was changed: one ArtifactError, or a load that works; never anything else.

``edited`` leaves the digests as they were, as an accident would. ``signed`` makes them right again, as somebody would
who wants the artefact to be loaded; then every value may be anything.
"""

import json
import random
import re
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from safetensors.numpy import load_file, save_file
from torch import nn

from genrec.artifacts import write_manifest
from genrec.artifacts.manifest import CARD
from genrec.baselines.sparse import pack_sparse, unpack_sparse
from genrec.errors import ArtifactError, GenRecError
from genrec.generative.pretrained import FoundationModel
from genrec.index import SemanticIndex
from genrec.loading import load
from genrec.models import load_model
from genrec.recommender import Recommender

OLD = Path(__file__).parent / "fixtures" / "artifacts-0.1"
BASELINES = ["baseline-popularity", "baseline-item-knn", "baseline-sasrec"]
NETWORKS = ["decoder", "item-decoder-prior", "seq2seq", "recgpt", "llm-merged", "llm-lora", "llm-item-head"]
KINDS = ["index-text", "index-slots", "index-grown", *BASELINES, *NETWORKS, "pretrained"]
MANIFESTS = ("index.json", "recommender.json")


@pytest.fixture
def copied(tmp_path):
    def copy(name):
        shutil.rmtree(tmp_path / name, ignore_errors=True)
        shutil.copytree(OLD / name, tmp_path / name)
        return tmp_path / name

    return copy


def sign(folder):
    for path in sorted(folder.rglob("*"), key=lambda path: -len(path.parts)):
        if path.name in MANIFESTS:
            content = json.loads(path.read_text())
            if isinstance(content, dict):
                write_manifest(path.parent, path.name, content)
    return folder


def used(name, folder):
    """Load an artefact and ask it for what everybody asks it for."""
    if name.startswith("index"):
        index = SemanticIndex.load(folder)
        return index.trie, index.vectors(), index.nearest_codes
    options = {"checkpoint": str(OLD / "llama")} if name in ("llm-lora", "llm-item-head") else {}
    if name == "pretrained":
        options = {"index": SemanticIndex.load(OLD / "index-pretrained")}
    return load(folder, **options).recommend([["i001", "i002"]], 3)


def manifest_of(folder):
    return next(folder / name for name in MANIFESTS if (folder / name).is_file())


def parsed(path):
    return yaml.safe_load(path.read_text()) if path.suffix == ".yaml" else json.loads(path.read_text())


def written(path, content):
    path.write_text(yaml.safe_dump(content) if path.suffix == ".yaml" else json.dumps(content))


@pytest.mark.parametrize("name", KINDS)
def test_every_edit_of_a_file_or_a_manifest_is_noticed(name, copied):
    folder = copied(name)
    used(name, sign(folder))
    manifest = manifest_of(folder)
    whole = manifest.read_bytes()
    content = json.loads(whole)
    edits = [
        {**content, "kind": "other"},
        {**content, "files": {}},
        {**content, "extra": 1},
        [],
        None,
        content["files"],
    ]
    edits += [{key: value for key, value in content.items() if key != gone} for gone in content]
    for edit in edits:
        manifest.write_text(json.dumps(edit))
        with pytest.raises(ArtifactError):
            used(name, folder)
    manifest.write_bytes(whole)
    for relative in [one for one in content["files"] if one != CARD][:4]:
        file = folder / relative
        before = file.read_bytes()
        file.write_bytes(before[:-1])
        with pytest.raises(ArtifactError, match="changed or damaged"):
            used(name, folder)
        file.write_bytes(before)
    (folder / "deep").mkdir()
    (folder / "deep" / "extra.safetensors").write_text("x")
    with pytest.raises(ArtifactError, match="does not know"):
        used(name, folder)


def places(content, place=()):
    """Where values stand in nested content, but for the parts that are lists of files and logs of training."""
    items = (
        content.items() if isinstance(content, dict) else enumerate(content[:2]) if isinstance(content, list) else ()
    )
    for key, value in items:
        if key not in ("files", "run", "log", "sha256"):
            yield (*place, key)
            yield from places(value, (*place, key))


PYTHONS_WORDS = re.compile(
    r"\w+Error\b|NoneType|'(?:int|str|dict|list|float)'|is not iterable|subscriptable|unhashable|invalid literal"
    r"|argument|could not convert|has no attribute|valid dictionary|instance of"
)
VALUES = [None, [], {}, "x", "", -1, 0, 10**6, 10**12, 1e308, True, [1], {"a": 1}, "../../etc", [[[]]], "gone"]


@pytest.mark.parametrize("name", KINDS)
def test_any_value_of_any_setting_loads_or_is_one_error(name, copied):
    chance = random.Random(name)
    texts = [path for path in (OLD / name).rglob("*") if path.suffix in (".json", ".yaml") and "token" not in path.name]
    known = [(path, place) for path in sorted(texts) for place in places(parsed(path))]
    said = []
    for path, place in chance.sample(known, 10):
        folder = copied(name)
        content = parsed(path)
        node = content
        for key in place[:-1]:
            node = node[key]
        value = chance.choice(VALUES)
        if value == "gone":
            del node[place[-1]]
        else:
            node[place[-1]] = value
        written(folder / path.relative_to(OLD / name), content)
        try:
            used(name, sign(folder))
        except GenRecError as error:
            said.append((path, place, value, error))
    assert not [one for one in said if PYTHONS_WORDS.search(str(one[-1]))]
    assert not [one for one in said if not one[-1].hint]


CHANGES = {
    "short": lambda a: a[:-1].copy(),
    "long": lambda a: np.concatenate([a, a]),
    "flat": lambda a: a.reshape(-1).copy(),
    "empty": lambda a: a[:0].copy(),
    "double": lambda a: a.astype(np.float64),
    "largest": lambda a: np.full_like(a, np.iinfo(a.dtype).max if a.dtype.kind in "iu" else np.inf),
    "negative": lambda a: np.full_like(a, -1),
}


@pytest.mark.parametrize("name", KINDS)
def test_any_array_loads_or_is_one_error(name, copied):
    chance = random.Random(name)
    files = sorted((OLD / name).rglob("*.safetensors"))
    known = [(path, key, how) for path in files for key in load_file(path) for how in [*CHANGES, "gone"]]
    for path, key, how in chance.sample(known, 8):
        folder = copied(name)
        arrays = load_file(path)
        if how == "gone":
            del arrays[key]
        elif arrays[key].ndim:
            arrays[key] = CHANGES[how](arrays[key])
        save_file(arrays, folder / path.relative_to(OLD / name), metadata={"format": "pt"})
        try:
            used(name, sign(folder))
        except GenRecError:
            continue


@pytest.mark.parametrize(
    "columns", [{"item_id": [1, 2]}, {"title": ["a"]}, {"item_id": ["a", "a"]}, {"item_id": [None]}]
)
def test_any_table_of_items_is_one_error(columns, copied):
    folder = copied("index-text")
    pl.DataFrame(columns).write_parquet(folder / "items.parquet")
    with pytest.raises(ArtifactError):
        SemanticIndex.load(sign(folder))
    (folder / "items.parquet").write_bytes(b"PAR1" + bytes(100) + b"PAR1")
    with pytest.raises(ArtifactError):
        SemanticIndex.load(sign(folder))


HUGE = [
    ("decoder", "model/config.json", ("backbone", "num_hidden_layers")),
    ("decoder", "model/config.json", ("backbone", "hidden_size")),
    ("decoder", "model/config.json", ("backbone", "intermediate_size")),
    ("decoder", "model/config.json", ("codebook_sizes", 0)),
    ("item-decoder-prior", "model/config.json", ("backbone", "num_hidden_layers")),
    ("seq2seq", "model/config.json", ("backbone", "num_layers")),
    ("seq2seq", "model/config.json", ("backbone", "d_ff")),
    ("recgpt", "model/config.json", ("backbone", "num_hidden_layers")),
    ("recgpt", "model/config.json", ("vector_dim",)),
    ("pretrained", "model/config.json", ("backbone", "num_hidden_layers")),
    ("llm-merged", "model/language_model/config.json", ("num_hidden_layers",)),
    ("llm-merged", "model/language_model/config.json", ("vocab_size",)),
    ("llm-merged", "model/language_model/config.json", ("hidden_size",)),
    ("llm-merged", "model/config.json", ("codebook_sizes", 0)),
    ("llm-lora", "model/config.json", ("codebook_sizes", 0)),
    ("llm-lora", "model/adapter/adapter_config.json", ("r",)),
    ("llm-item-head", "model/config.json", ("n_items",)),
    ("baseline-sasrec", "recommender.json", ("settings", "layers")),
    ("baseline-sasrec", "recommender.json", ("settings", "dim")),
    ("index-text", "index.json", ("recipe", "quantizer", "levels")),
    ("index-text", "index.json", ("codebook_sizes", 0)),
    ("index-slots", "index.json", ("recipe", "quantizer", "slots")),
]


@pytest.mark.parametrize("size", [10**5, 10**9, 10**15])
@pytest.mark.parametrize(("name", "file", "place"), HUGE, ids=lambda value: str(value)[-40:])
def test_absurd_sizes_are_refused_before_anything_is_built(name, file, place, size, copied, monkeypatch):
    folder = copied(name)
    content = parsed(folder / file)
    node = content
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = size
    written(folder / file, content)
    sign(folder)
    built, make = [0], nn.Module.__init__

    def counted(module, *arguments, **options):
        built[0] += 1
        make(module, *arguments, **options)

    monkeypatch.setattr(nn.Module, "__init__", counted)
    with pytest.raises(GenRecError):
        used(name, folder)
    assert built[0] < 10_000


def test_weights_that_a_network_lacks_do_not_start_from_chance(copied):
    """A file that lacks a weight would else be loaded without a word, and recommend nonsense."""
    for name, file in (("decoder", "model.safetensors"), ("llm-item-head", "model.safetensors")):
        folder = copied(name) / "model"
        arrays = load_file(folder / file)
        arrays.pop(next(iter(arrays)))
        save_file(arrays, folder / file, metadata={"format": "pt"})
        with pytest.raises(ArtifactError, match="do not belong together"):
            load_model(folder, **({"checkpoint": str(OLD / "llama")} if name == "llm-item-head" else {}))


def _written_as(folder, place, name):
    if place == "manifest":
        content = json.loads((folder / "recommender.json").read_text())
        (folder / "recommender.json").write_text(json.dumps(content | {"architecture": name}))
    elif place == "settings":
        content = yaml.safe_load((folder / "config.yaml").read_text())
        content["model"]["architecture"] = name
        (folder / "config.yaml").write_text(yaml.safe_dump(content))
    else:
        path = folder / "model" / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"model_type": f"genrec-{name}"}))


@pytest.mark.parametrize("place", ["manifest", "settings", "network"])
def test_a_signed_recommender_whose_parts_name_different_networks_is_refused(place, copied):
    folder = copied("decoder")
    _written_as(folder, place, "seq2seq")
    sign(folder)
    with pytest.raises(ArtifactError, match=r"do not belong together|configuration of this network is damaged"):
        Recommender.from_pretrained(folder)


def test_weights_that_are_whole_numbers_are_refused(copied):
    """They would be read as decimals, without a word, and recommend nonsense."""
    folder = copied("decoder") / "model"
    arrays = load_file(folder / "model.safetensors")
    name = next(iter(arrays))
    arrays[name] = arrays[name].astype("int64")
    save_file(arrays, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ArtifactError, match="holds numbers of type I"):
        load_model(folder)


@pytest.mark.parametrize("content", ["[" * 100_000, '{"a":' * 100_000, "{", "\xff", "[]", "1" * 10_000])
def test_json_of_any_kind_is_one_error(content, tmp_path):
    """Also where it is nested so deep that Python's reader gives up."""
    from genrec.evaluation import read_rows
    from genrec.generative.prior_experience import PriorExperience
    from genrec.index.imported import read_codes
    from genrec.index.item_tokenizer import ItemTokenizer
    from genrec.loading import read_tokenizer, saved_columns, saved_kind
    from genrec.models.vector_store import MANIFEST, VectorStore
    from genrec.sharding.job import MANIFEST as JOB
    from genrec.sharding.job import read_manifest
    from genrec.sharding.store import LocalStore

    named = ("recommender", "index", "metrics", "codes", "config", "item_tokenizer", "tokenizer")
    for name in (*(f"{one}.json" for one in named), JOB, MANIFEST):
        (tmp_path / name).write_bytes(content.encode("latin-1"))
    assert saved_kind(tmp_path) is None
    assert not saved_columns(tmp_path).said()
    readers = {
        load: tmp_path,
        SemanticIndex.load: tmp_path,
        load_model: tmp_path,
        read_tokenizer: tmp_path,
        ItemTokenizer.load: tmp_path,
        VectorStore: tmp_path,
        read_manifest: LocalStore(tmp_path),
        read_codes: tmp_path / "codes.json",
        PriorExperience.load: tmp_path / "metrics.json",
    }
    for read, where in readers.items():
        with pytest.raises(GenRecError):
            read(where)
    if content != "[]":  # no rows at all
        with pytest.raises(GenRecError):
            read_rows([tmp_path / "metrics.json"])


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["decoder", "item-decoder-prior", "seq2seq", "recgpt", "llm-lora", "baseline-sasrec"])
def test_weights_that_are_no_numbers_are_told_of(name, wrong, copied):
    """Every list would else be empty, without a word."""
    folder = copied(name)
    path = max(folder.glob("**/*.safetensors"), key=lambda one: (one.parts[-2] in ("model", "adapter"), one.name))
    arrays = {
        key: np.full_like(value, wrong) if value.dtype.kind == "f" else value for key, value in load_file(path).items()
    }
    save_file(arrays, path, metadata={"format": "pt"})
    with pytest.raises(GenRecError, match="holds values that are no numbers"):
        used(name, sign(folder))


def test_a_sound_network_may_answer_with_nothing(copied):
    recommender = load(copied("decoder"))
    assert (recommender.recommend([["i001"]], 3, allow=[]).items == -1).all()


ADAPTERS = {
    "layers are missing": lambda weights, settings: [weights.pop(key) for key in list(weights) if "q_proj" in key],
    "halves are missing": lambda weights, settings: [weights.pop(key) for key in list(weights) if "lora_B" in key],
    "other layers": lambda weights, settings: weights.update(
        {key.replace("layers.0", "layers.9"): weights.pop(key) for key in list(weights)}
    ),
    "one too many": lambda weights, settings: weights.update(extra=np.zeros(2, np.float32)),
    "fewer are wanted": lambda weights, settings: settings.update(target_modules=["q_proj"]),
    "another method": lambda weights, settings: settings.update(use_dora=True),
    "no number": lambda weights, settings: settings.update(lora_alpha=float("nan")),
    "too large a number": lambda weights, settings: settings.update(lora_alpha=1e308),
}


@pytest.mark.parametrize("change", ADAPTERS)
def test_an_adapter_that_lacks_weights_is_not_its_base(change, copied):
    """peft leaves out what is missing, and the base would answer in the place of what was trained."""
    folder = copied("llm-lora")
    path, beside = (folder / "model" / "adapter" / f"adapter_{name}" for name in ("model.safetensors", "config.json"))
    weights, settings = load_file(path), json.loads(beside.read_text())
    ADAPTERS[change](weights, settings)
    save_file(weights, path, metadata={"format": "pt"})
    beside.write_text(json.dumps(settings))
    with pytest.raises(ArtifactError, match=r"do not belong together|to be scaled by|has lora_alpha"):
        used("llm-lora", sign(folder))


SETTINGS = {
    "r": ["2", True, 0, -1, 3, 2.0, None, 10**9],
    "rank_pattern": [{"q_proj": 10**9}, {"q_proj": "2"}, "x", 5],
    "lora_alpha": ["4", None, [4], True],
    "alpha_pattern": [{"q_proj": "4"}, {"q_proj": float("nan")}],
    "use_rslora": ["yes", 1],
    "trainable_token_indices": [[33], {"lm_head": 33}, "x"],
    "alora_invocation_tokens": [[1]],
    "modules_to_save": [5],
    "layers_pattern": [5],
    "init_lora_weights": ["pissa_niter_9999999", "pissa_niter_x", "strange"],
    "target_modules": [["nothing"], [1], 3],
    "auto_mapping": [{"base_model_class": "planted", "parent_library": "planted"}],
    "base_model_name_or_path": ["../../planted"],
}


@pytest.mark.parametrize("key", SETTINGS)
def test_settings_of_an_adapter_are_checked_one_by_one(key, copied, monkeypatch, tmp_path):
    """peft would take memory for any rank, and work for any number of rounds."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "planted.py").write_text("raise SystemExit")
    for value in SETTINGS[key]:
        folder = copied("llm-lora")
        path = folder / "model" / "adapter" / "adapter_config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
        if key in ("auto_mapping", "base_model_name_or_path"):  # nothing reads them
            assert np.array_equal(used("llm-lora", sign(folder)).items, used("llm-lora", OLD / "llm-lora").items)
            continue
        with pytest.raises(ArtifactError, match=rf"(?s)adapter.*(has {key}|cannot be used|belong together)") as caught:
            used("llm-lora", sign(folder))
        assert "adapter" in str(caught.value.where)
        assert caught.value.expected
        assert caught.value.hint


def test_weights_of_another_rank_are_told_with_both_shapes(copied):
    folder = copied("llm-lora")
    path = folder / "model" / "adapter" / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "r": 3}))
    with pytest.raises(ArtifactError, match=r"lora_A\S+\.(.|\n)*\[3, 16\], as the settings say; these have \[2, 16\]"):
        used("llm-lora", sign(folder))


def test_sparse_matrices_point_inside_themselves():
    """scipy reads whatever an index points to."""
    import scipy.sparse as sp

    packed = pack_sparse("m", sp.csr_array(np.eye(3)))
    for wrong in ([-1, 1, 2], [0, 1, 10**6]):
        with pytest.raises(ValueError, match="indices"):
            unpack_sparse("m", {**packed, "m.indices": np.array(wrong)})


def test_other_kinds_are_told_apart():
    with pytest.raises(ArtifactError, match="no pretrained recommender"):
        FoundationModel.from_pretrained(OLD / "decoder")
    with pytest.raises(ArtifactError):
        Recommender.from_pretrained(OLD / "index-text")
    with pytest.raises(ArtifactError):
        SemanticIndex.load(OLD / "decoder")
