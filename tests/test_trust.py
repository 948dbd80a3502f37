"""Nothing that is loaded runs code: not what an artefact, a recipe or a preset says, names or carries.

Every test plants code that leaves a mark when it runs. The caller alone can let it.
"""

import json
import pickle
import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from safetensors.numpy import load_file, save_file
from typer.testing import CliRunner

from genrec.artifacts import write_manifest
from genrec.cli.main import app
from genrec.data import Catalog
from genrec.encoders.cache import VectorCache
from genrec.encoders.precomputed import PrecomputedEncoder, PrecomputedSettings
from genrec.encoders.sentence_model import find_model
from genrec.errors import ArtifactError, ConfigError, DataError, GenRecError, ModelError
from genrec.index import SemanticIndex
from genrec.index.recipe import TokenizerRecipe
from genrec.models.llm.source import LanguageSource
from genrec.models.vector_store import DomainItems, VectorStore
from genrec.recommender import Recommender
from genrec.trie import Trie
from genrec.trust import trusting, trusts_remote_code

OLD = Path(__file__).parent / "fixtures" / "artifacts-0.1"
OWN = """
from pathlib import Path
Path({mark!r}).touch()
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from torch import nn
class OwnConfig(LlamaConfig):
    model_type = "strange"
class OwnModel(LlamaForCausalLM):
    config_class = OwnConfig
class OwnTokenizer(PreTrainedTokenizerFast):
    pass
class OwnModule(nn.Module):
    pass
"""


@pytest.fixture
def mark(tmp_path, monkeypatch):
    """A file that is there once planted code has run; copies of that code go to a folder of the test."""
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "ran"


class Bomb:
    """Leaves the mark when it is unpickled."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return Path.touch, (Path(self.mark),)


def change(path, **values):
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, **values}))


def sign(folder):
    """Give a changed folder manifests that are right, as somebody would who wants it to be loaded."""
    for path in sorted(folder.rglob("*"), key=lambda path: -len(path.parts)):
        if path.name in ("index.json", "recommender.json"):
            write_manifest(path.parent, path.name, json.loads(path.read_text()))
    return folder


def copied(name, tmp_path):
    shutil.copytree(OLD / name, tmp_path / name)
    return tmp_path / name


def with_own_code(folder, mark):
    """A checkpoint that only its own code can load."""
    (folder / "own.py").write_text(OWN.format(mark=str(mark)))
    auto_map = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"}
    change(folder / "config.json", model_type="strange", auto_map=auto_map)
    return folder


def with_own_tokenizer(folder, mark):
    (folder / "own.py").write_text(OWN.format(mark=str(mark)))
    own = {"AutoTokenizer": [None, "own.OwnTokenizer"]}
    change(folder / "tokenizer_config.json", tokenizer_class="OwnTokenizer", auto_map=own)
    return folder


def says_yes(recommender):
    """Everything in a recommender that has ever been asked whether code may run."""
    content = json.loads((recommender / "model" / "config.json").read_text())
    content["source"] = {**content["source"], "trust_remote_code": True}
    (recommender / "model" / "config.json").write_text(json.dumps({**content, "trust_remote_code": True}))
    settings = yaml.safe_load((recommender / "config.yaml").read_text())
    settings["model"]["llm"]["trust_remote_code"] = True
    (recommender / "config.yaml").write_text(yaml.safe_dump(settings))
    return sign(recommender)


def plain_model(tmp_path, mark):
    folder = copied("llm-merged", tmp_path)
    with_own_code(folder / "model" / "language_model", mark)
    return says_yes(folder)


def adapter_base(tmp_path, mark):
    folder, base = copied("llm-lora", tmp_path), with_own_code(copied("llama", tmp_path), mark)
    content = json.loads((folder / "model" / "config.json").read_text())
    source = {**content["source"], "checkpoint": str(base)}
    change(folder / "model" / "config.json", source=source, base_fingerprint=LanguageSource(str(base)).fingerprint())
    return says_yes(folder)


def tokenizer_of_a_plain_model(tmp_path, mark):
    folder = copied("llm-merged", tmp_path)
    with_own_tokenizer(folder / "model" / "language_model", mark)
    return says_yes(folder)


def tokenizer_of_an_adapter(tmp_path, mark):
    folder = copied("llm-lora", tmp_path)
    with_own_tokenizer(folder / "model" / "tokenizer", mark)
    return says_yes(folder)


PLACES = [plain_model, adapter_base, tokenizer_of_a_plain_model, tokenizer_of_an_adapter]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_code_of_a_recommender_runs_only_where_the_caller_says_so(place, tmp_path, mark, tables):
    folder = place(tmp_path, mark)
    with pytest.raises(ModelError, match=r"code of its own, which is not run[\s\S]*--trust-remote-code"):
        Recommender.from_pretrained(folder)
    arguments = ["generate", str(folder), str(tables[1]), "--out", str(tmp_path / "recs.csv")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert "--trust-remote-code" in result.output
    assert not mark.exists()
    with suppress(Exception):  # how far own code gets is its own affair; that it ran is what was asked for
        Recommender.from_pretrained(folder, trust_remote_code=True)
    assert mark.exists()
    result = CliRunner().invoke(app, [*arguments, "--trust-remote-code"])
    assert "which is not run" not in result.output
    assert not trusts_remote_code()


def test_a_preset_cannot_let_code_run(tmp_path, mark, tables, tiny_index):
    base = with_own_code(copied("llama", tmp_path), mark)
    tiny_index.save(tmp_path / "index")
    preset = tmp_path / "preset.yaml"
    model = {"architecture": "language-model", "checkpoint": str(base), "llm": {"trust_remote_code": True}}
    preset.write_text(yaml.safe_dump({"model": model}))
    arguments = ["train", str(tmp_path / "index"), str(tables[1]), "--config", str(preset)]
    arguments += ["--out", str(tmp_path / "model"), "--set", "trainer.max_steps=1"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert "which is not run" in result.output
    assert not mark.exists()
    CliRunner().invoke(app, [*arguments, "--trust-remote-code"])
    assert mark.exists()


@pytest.fixture
def sentence_model(tmp_path):
    """A sentence model in a folder of its own, to be changed."""
    carried = find_model("minilm").folder
    folder = tmp_path / "sentences"
    shutil.copytree(carried, folder, ignore=shutil.ignore_patterns("model.safetensors", "*.md"))
    (folder / "model.safetensors").symlink_to((carried / "model.safetensors").resolve())
    return folder


def own_module(folder, mark):
    (folder / "own.py").write_text(OWN.format(mark=str(mark)))
    (folder / "modules.json").write_text(json.dumps([{"idx": 0, "name": "0", "path": "", "type": "own.OwnModule"}]))


def own_transformer(folder, mark):
    (folder / "own.py").write_text(OWN.format(mark=str(mark)))
    auto_map = {"AutoConfig": "own.OwnConfig", "AutoModel": "own.OwnModel"}
    change(folder / "config.json", model_type="strange", auto_map=auto_map)
    change(folder / "sentence_bert_config.json", model_args={"trust_remote_code": True})


@pytest.mark.parametrize("plant", [own_module, own_transformer], ids=lambda plant: plant.__name__)
def test_code_of_a_sentence_model_runs_only_where_the_caller_says_so(plant, sentence_model, tmp_path, mark):
    plant(sentence_model, mark)
    catalog = Catalog.from_frame(pl.DataFrame({"item_id": ["a", "b"], "title": ["cup", "tea"]}))
    recipe = TokenizerRecipe(encoder={"name": "sentence", "model": str(sentence_model)}, quantizer={"name": "random"})
    with pytest.raises(ModelError, match=r"which is not run[\s\S]*--trust-remote-code"):
        SemanticIndex.build(catalog, recipe)
    nested = {"name": "whitened", "encoder": recipe.encoder}
    with pytest.raises(ModelError, match="which is not run"):
        SemanticIndex.build(catalog, recipe.model_copy(update={"encoder": nested}))
    assert not mark.exists()
    with suppress(Exception):
        SemanticIndex.build(catalog, recipe, trust_remote_code=True)
    assert mark.exists()


def test_an_index_that_names_a_sentence_model_runs_none_of_its_code(sentence_model, tmp_path, mark):
    index = SemanticIndex.load(OLD / "index-text")
    index.tokenizer.recipe = TokenizerRecipe(
        encoder={"name": "sentence", "model": str(sentence_model)}, quantizer=index.recipe.quantizer
    )
    own_module(sentence_model, mark)
    found = find_model(str(sentence_model)).identity()
    index.tokenizer.rests["encoder"] = {"digests": found, "text": {"fields": ["title"]}}
    index.save(tmp_path / "index")
    (tmp_path / "new.csv").write_text("item_id,title\nnew1,cup\n")
    arguments = ["index", "add", str(tmp_path / "index"), str(tmp_path / "new.csv")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert not mark.exists()


OUTSIDE = ["/etc", "../other", "a/../../b", "\\\\host\\share", "C:/x"]


@pytest.mark.parametrize("path", OUTSIDE)
def test_modules_of_a_sentence_model_stay_in_its_folder(sentence_model, path):
    modules = json.loads((sentence_model / "modules.json").read_text())
    modules[1]["path"] = path
    (sentence_model / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(ModelError, match="lies outside"):
        find_model(str(sentence_model)).load("cpu")


@pytest.mark.parametrize("content", ["{", "{}", "[1]", "null"])
def test_a_damaged_list_of_modules_is_one_error(sentence_model, content):
    (sentence_model / "modules.json").write_text(content)
    with pytest.raises(ModelError):
        find_model(str(sentence_model)).load("cpu")


KERNELS = [
    {"_attn_implementation": "evil/attention"},
    {"attn_implementation": "evil/attention@main:call"},
    {"text_config": {"attn_implementation": "evil/attention"}},
    {"experts_implementation": {"": "evil/experts"}},
    {"use_kernels": True},
    {"kernel_config": {"RMSNorm": "evil/norm:Norm"}},
]


@pytest.mark.parametrize("keys", KERNELS, ids=lambda keys: "-".join(keys))
def test_no_configuration_fetches_kernels(keys, tmp_path, sentence_model):
    """transformers fetches attention and layers from the hub and runs them where a configuration names them so."""
    for name, place in (("decoder", "model"), ("llm-merged", "model/language_model"), ("llm-lora", "model/adapter")):
        folder = copied(name, tmp_path)
        file = folder / place / ("adapter_config.json" if place.endswith("adapter") else "config.json")
        change(file, **keys)
        options = {"checkpoint": str(OLD / "llama")} if name == "llm-lora" else {}
        with pytest.raises(ModelError, match="asks for"):
            Recommender.from_pretrained(sign(folder), **options)
    folder = copied("item-decoder", tmp_path)
    backbone = json.loads((folder / "model" / "config.json").read_text())["backbone"]
    change(folder / "model" / "config.json", backbone={**backbone, **keys})
    with pytest.raises(ModelError, match="asks for"):
        Recommender.from_pretrained(sign(folder))
    change(sentence_model / "sentence_bert_config.json", model_args=keys)
    with pytest.raises(ModelError, match="asks for"):
        find_model(str(sentence_model)).load("cpu")
    base = copied("llama", tmp_path)
    change(base / "config.json", **keys)
    if not {"use_kernels", "kernel_config"} & set(keys):
        source = LanguageSource(str(base))
        assert source.attention == "sdpa"  # what the loader says stands above what the file says


def test_the_attention_of_a_saved_network_is_no_place_on_the_hub(tmp_path):
    folder = copied("llm-merged", tmp_path)
    content = json.loads((folder / "model" / "config.json").read_text())
    change(folder / "model" / "config.json", source={**content["source"], "attention": "evil/attention"})
    with pytest.raises(GenRecError, match="attention"):
        Recommender.from_pretrained(sign(folder))


def pickled(folder, name, mark):
    """The weights of a folder as a pickle that leaves the mark."""
    for file in folder.glob("*.safetensors"):
        file.unlink()
    with (folder / name).open("wb") as stream:
        pickle.dump(Bomb(mark), stream)


@pytest.mark.parametrize(
    ("name", "place", "file"),
    [
        ("decoder", "model", "pytorch_model.bin"),
        ("recgpt", "model", "pytorch_model.bin"),
        ("llm-merged", "model/language_model", "pytorch_model.bin"),
        ("llm-lora", "model/adapter", "adapter_model.bin"),
        ("baseline-sasrec", ".", "baseline.bin"),
        ("decoder", "index", "vectors.bin"),
    ],
)
def test_pickled_weights_of_an_artefact_are_never_read(name, place, file, tmp_path, mark):
    folder = copied(name, tmp_path)
    pickled(folder / place, file, mark)
    options = {"checkpoint": str(OLD / "llama")} if name == "llm-lora" else {}
    with pytest.raises(ArtifactError):
        Recommender.from_pretrained(sign(folder), **options)
    assert not mark.exists()


def test_pickled_weights_of_a_checkpoint_are_read_only_where_the_caller_says_so(tmp_path, mark):
    base = copied("llama", tmp_path)
    pickled(base, "pytorch_model.bin", mark)
    with pytest.raises(ModelError, match=r"only pickled weights[\s\S]*--trust-remote-code"):
        LanguageSource(str(base)).model()
    assert not mark.exists()


def test_pickled_weights_of_a_sentence_model_are_not_read(sentence_model, mark):
    pickled(sentence_model, "pytorch_model.bin", mark)
    with pytest.raises(ModelError, match="only pickled weights"):
        find_model(str(sentence_model)).load("cpu")
    assert not mark.exists()


def test_arrays_are_never_unpickled(tmp_path, mark):
    bomb = np.array([Bomb(mark)], dtype=object)
    np.save(tmp_path / "v.npy", bomb, allow_pickle=True)
    catalog = Catalog.from_frame(pl.DataFrame({"item_id": ["a"]}))
    with pytest.raises(DataError, match="cannot be read"):
        PrecomputedEncoder(PrecomputedSettings(path=str(tmp_path / "v.npy"))).fit(catalog)
    trie = Trie.from_codes(np.array([[0, 1], [1, 0]]), (2, 2))
    trie.save(tmp_path / "trie")
    np.save(tmp_path / "trie" / "item.npy", bomb, allow_pickle=True)
    write_manifest(tmp_path / "trie", "trie.json", {"codebook_sizes": [2, 2]})
    with pytest.raises(ArtifactError):
        Trie.load(tmp_path / "trie")
    store = VectorStore(tmp_path / "store")
    store.add(DomainItems("d", np.zeros((1, 1)), np.zeros((1, 2)), np.zeros((1, 1, 2))), identity="x")
    np.save(tmp_path / "store" / "d.vectors.npy", bomb, allow_pickle=True)
    with pytest.raises(ArtifactError):
        store.read("d")
    cache = VectorCache(tmp_path / "cache", {"model": "m"})
    cache.add(cache.keys(["a"]), np.zeros((1, 2)))
    for file in cache.folder.glob("*.npy"):
        np.save(file, bomb, allow_pickle=True)
    assert list(cache.shards()) == []
    assert not mark.exists()


def test_names_of_domains_are_no_paths(tmp_path):
    store = VectorStore(tmp_path / "store")
    for name in ("../../escaped", "/tmp/escaped", "a/b"):
        items = DomainItems(name, np.zeros((1, 1)), np.zeros((1, 2)), np.zeros((1, 1, 2)))
        store.add(items, identity="x")
        assert len(VectorStore(tmp_path / "store").read(name)) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store"]
    assert all(path.is_file() for path in (tmp_path / "store").iterdir())


@pytest.mark.parametrize(("key", "value"), [("megatron_config", {"a": 1}), ("layer_replication", [[0, 10**9]])])
def test_an_adapter_imports_nothing_and_copies_no_layers(key, value, tmp_path, mark):
    """peft imports ``megatron_core`` by name where there is a ``megatron_config``."""
    (tmp_path / "planted.py").write_text(OWN.format(mark=str(mark)))
    folder = copied("llm-lora", tmp_path)
    change(folder / "model" / "adapter" / "adapter_config.json", **{key: value, "megatron_core": "planted"})
    with pytest.raises(ArtifactError, match=f"asks for {key}"):
        Recommender.from_pretrained(sign(folder), checkpoint=str(OLD / "llama"))
    assert not mark.exists()


TEMPLATES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ cycler.__init__.__globals__.os.system('touch ' ~ mark) }}",
    "{% for c in history.__class__.__base__.__subclasses__() %}{{ c }}{% endfor %}",
    "{% include '/etc/hostname' %}",
    "{% import 'os' as os %}",
]


@pytest.mark.parametrize("template", TEMPLATES)
def test_templates_of_a_recommender_run_in_a_sandbox(template, tmp_path, mark):
    folder = copied("llm-merged", tmp_path)
    prompt = folder / "prompts" / "next-item.jinja"
    head = prompt.read_text().rpartition("---")[0]
    prompt.write_text(f"{head}---\n{template}")
    with pytest.raises(GenRecError):
        Recommender.from_pretrained(sign(folder)).recommend([["i001", "i002"]], 2)
    assert not mark.exists()


def test_templates_come_from_the_recommender_alone(tmp_path):
    elsewhere = tmp_path / "elsewhere.jinja"
    shutil.copy(OLD / "llm-merged" / "prompts" / "next-item.jinja", elsewhere)
    folder = copied("llm-merged", tmp_path)
    settings = yaml.safe_load((folder / "config.yaml").read_text())
    settings["tasks"][0]["prompt"] = str(elsewhere)
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    with pytest.raises(ArtifactError, match="template of this recommender is missing"):
        Recommender.from_pretrained(sign(folder))


def test_two_templates_of_one_name_are_not_mixed_up(tmp_path):
    from genrec.prompts.reader import save_templates
    from genrec.prompts.settings import TaskSettings

    shipped = (OLD / "llm-merged" / "prompts" / "next-item.jinja").read_text()
    for name, text in (("a", shipped), ("b", shipped.replace("next", "following"))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.jinja").write_text(text)
    tasks = [TaskSettings(prompt=str(tmp_path / name / "x.jinja")) for name in "ab"]
    with pytest.raises(ConfigError, match=r"templates of the name x\.jinja"):
        save_templates(tasks, tmp_path / "prompts")


@pytest.mark.parametrize(
    "text", ["!!python/object/apply:os.system ['touch ran']", "!!python/name:os.system", "{a: &a [*a]}"]
)
def test_settings_are_plain_values(text, tmp_path, mark):
    folder = copied("decoder", tmp_path)
    (folder / "config.yaml").write_text(text)
    with pytest.raises(ArtifactError):
        Recommender.from_pretrained(sign(folder))
    assert not mark.exists()


def test_pieces_of_weights_stay_in_their_folder(tmp_path):
    folder = copied("llm-merged", tmp_path)
    plain = folder / "model" / "language_model"
    shutil.move(plain / "model.safetensors", tmp_path / "elsewhere.safetensors")
    names = load_file(tmp_path / "elsewhere.safetensors")
    pieces = {"metadata": {}, "weight_map": dict.fromkeys(names, "../../../elsewhere.safetensors")}
    (plain / "model.safetensors.index.json").write_text(json.dumps(pieces))
    with pytest.raises(ArtifactError, match="outside its folder"):
        Recommender.from_pretrained(sign(folder))


def test_trust_ends_with_the_load_and_holds_in_its_own_thread_alone():
    import threading

    seen = []
    with trusting(True):
        thread = threading.Thread(target=lambda: seen.append(trusts_remote_code()))
        thread.start()
        thread.join()
        assert trusts_remote_code()
    assert seen == [False]
    assert not trusts_remote_code()


def test_an_index_with_other_vectors_is_refused_where_the_network_reads_them(tmp_path):
    """The codes are the same, so only the vectors tell."""
    recommender = Recommender.from_pretrained(OLD / "recgpt")
    recommender.save_pretrained(tmp_path / "model")
    folder = tmp_path / "index"
    recommender.index.save(folder)
    grown = SemanticIndex.load(folder)
    Recommender.from_pretrained(tmp_path / "model", index=grown)
    vectors = load_file(folder / "vectors.safetensors")
    save_file({"vectors": vectors["vectors"] + 1}, folder / "vectors.safetensors")
    write_manifest(folder, "index.json", json.loads((folder / "index.json").read_text()))
    with pytest.raises(ArtifactError, match="other vectors"):
        Recommender.from_pretrained(tmp_path / "model", index=SemanticIndex.load(folder))
