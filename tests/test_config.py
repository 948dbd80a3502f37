import importlib
import math
import typing
from pathlib import Path

import polars as pl
import pytest
import yaml
from pydantic import ValidationError

import genrec
from genrec.config import (
    LARGEST_WIDTH,
    MOST_ROUNDS,
    Settings,
    _types,
    apply_overrides,
    override_value,
    parse,
    parse_yaml,
    read_yaml,
    write_yaml,
)
from genrec.data.catalog import Catalog
from genrec.encoders.text import read_template
from genrec.errors import ConfigError
from genrec.generative.config import load_train_config
from genrec.index.recipe import load_recipe
from genrec.index.semantic_index import SemanticIndex
from genrec.models.config import _checker
from genrec.models.registry import NETWORKS
from genrec.training.pretrain_config import load_pretrain_config

NUMBERS = {"2e-3": 2e-3, "1e-5": 1e-5, "1E5": 1e5, "-3e+2": -300.0, "1.e2": 100.0, ".5e1": 5.0, "2.5e-4": 2.5e-4}
WORDS = ["e3", "1e", "2e-3x", "minilm", "1e-3-warm", "'2e-3'", '"1e5"']


@pytest.mark.parametrize(("text", "value"), NUMBERS.items())
def test_floats_with_an_exponent_are_numbers_everywhere(tmp_path, text, value):
    path = tmp_path / "settings.yaml"
    path.write_text(f"trainer:\n  learning_rate: {text}\n")
    assert read_yaml(path) == {"trainer": {"learning_rate": value}}
    assert apply_overrides({}, [f"trainer.learning_rate={text}"]) == {"trainer": {"learning_rate": value}}
    assert parse_yaml(f"[{text}]") == [value]


@pytest.mark.parametrize("text", WORDS)
def test_words_stay_words(text):
    assert override_value(text, "key=" + text) == text.strip("'\"")


def test_what_is_written_is_read_back(tmp_path):
    content = {"rate": 1e-5, "small": 2e-3, "name": "2e-3", "other": "1e5", "plain": "e3", "size": 3, "flag": True}
    write_yaml(tmp_path / "settings.yaml", content)
    assert read_yaml(tmp_path / "settings.yaml") == content
    assert yaml.safe_load((tmp_path / "settings.yaml").read_text())["name"] == "2e-3"


def test_overrides_reach_into_lists_and_leave_the_input_alone():
    content = {"parts": [{"dim": 1}, {"dim": 2}], "sizes": [3, 4]}
    assert apply_overrides(content, ["parts.1.dim=5", "sizes.0=7"]) == {
        "parts": [{"dim": 1}, {"dim": 5}],
        "sizes": [7, 4],
    }
    assert content == {"parts": [{"dim": 1}, {"dim": 2}], "sizes": [3, 4]}


@pytest.mark.parametrize("override", ["novalue", "=3", "a=[1", "a={", "sizes.9=1", "sizes.x=1", "size.b=1"])
def test_an_override_that_cannot_be_read_is_named(override):
    with pytest.raises(ConfigError) as caught:
        apply_overrides({"sizes": [3, 4], "size": 1}, [override])
    assert override in str(caught.value)
    if override == "a=[1":
        with pytest.raises(ConfigError):
            load_recipe("rq-kmeans-3x256", ["quantizer.name=[1"])


@pytest.mark.parametrize(
    "text",
    [
        "!!float x",
        "!!int x",
        "!!timestamp x",
        "&a [*a]",
        "&a {x: *a}",
        "{[1]: 2}",
        "!!python/object/apply:os.system [id]",
    ],
)
def test_hostile_yaml_is_one_clear_error(tmp_path, text):
    with pytest.raises(yaml.YAMLError):
        parse_yaml(text)
    with pytest.raises(ConfigError):
        apply_overrides({}, [f"x={text}"])
    (tmp_path / "s.yaml").write_text(f"x: {text}\n")
    with pytest.raises(ConfigError, match="not valid YAML"):
        read_yaml(tmp_path / "s.yaml")


BOMBS = {
    "lists": ["a0: &a0 [x, x]", *[f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]],
    "mappings": ["a0: &a0 {x: 1}", *[f"a{n}: &a{n} {{p: *a{n - 1}, q: *a{n - 1}}}" for n in range(1, 40)]],
    "merged mappings": ["a0: &a0 {x: 1}", *[f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, 40)]],
    "one wide layer": [f"a: &a [{'x, ' * 4000}]", f"b: [{'*a, ' * 4000}]"],
    "long texts": [f"a: &a {'x' * 10_000}", f"b: [{'*a, ' * 1000}]"],
    "a long text": [f"a: {'x' * 1_000_001}"],
    "depth": ["a: " + "[" * 60 + "]" * 60],
    "a number": ["a: !!int 1" + ":0" * 200],
}


@pytest.mark.parametrize("name", BOMBS)
def test_what_grows_while_it_is_read_is_refused(tmp_path, name):
    """By the number of its values, before any of them is made."""
    text = "\n".join(BOMBS[name])
    with pytest.raises(yaml.YAMLError, match=r"it (is larger than|is more than|holds a number)"):
        parse_yaml(text)
    (tmp_path / "bomb.yaml").write_text(text)
    for read in (load_recipe, load_train_config, load_pretrain_config):
        with pytest.raises(ConfigError, match="not valid YAML"):
            read(str(tmp_path / "bomb.yaml"))
    (tmp_path / "bomb.jinja").write_text(f"---\n{text}\n---\ntext\n")
    with pytest.raises(ConfigError, match="not YAML"):
        read_template(tmp_path / "bomb.jinja")


def test_what_does_not_grow_is_read():
    assert parse_yaml("a: &a [1, 2]\nb: *a") == {"a": [1, 2], "b": [1, 2]}
    assert parse_yaml("a: &a {x: 1}\nb: {<<: *a, y: 2}")["b"] == {"x": 1, "y": 2}
    assert parse_yaml("1" * 101) == "1" * 101  # no number that anybody would write
    assert parse_yaml("[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]")


@pytest.mark.parametrize("size", [1, 30_000], ids=["usual", "too long to be remembered"])
def test_what_was_read_is_ones_own(size):
    """A text is read once and remembered; what a caller does to the values is seen by nobody else."""
    text = f"a: &a [1, {{b: 2}}]\nc: *a\nd: {'x' * size}"
    first = parse_yaml(text)
    assert first["a"] is first["c"]
    first["a"][1]["b"] = 3
    first["e"] = 4
    assert parse_yaml(text) == {"a": [1, {"b": 2}], "c": [1, {"b": 2}], "d": "x" * size}


def test_a_text_that_is_no_yaml_is_so_each_time():
    for _ in range(2):
        with pytest.raises(yaml.YAMLError):
            parse_yaml("a: [1")


def every_settings_class():
    """All settings of the package, once each."""
    root = Path(genrec.__path__[0])
    for path in root.rglob("*.py"):
        if "Settings):" in path.read_text(encoding="utf-8"):
            importlib.import_module(".".join(path.relative_to(root.parent).with_suffix("").parts))
    for name in NETWORKS:  # what their configurations are checked by is made when the first one is
        _checker(NETWORKS[name].config_class)
    found, waiting = set(), [Settings]
    while waiting:
        for one in waiting.pop().__subclasses__():
            waiting += [one] if one not in found else []
            found.add(one)
    return sorted((one for one in found if one.__module__.startswith("genrec.")), key=lambda one: one.__qualname__)


def test_no_setting_takes_what_cannot_be_counted_with():
    """YAML's ``.inf``, ``.nan``, numbers of thirty digits, and ``on``, which it reads as ``true``."""
    looked_at = 0
    for cls in every_settings_class():
        for name, field in cls.model_fields.items():
            kinds = set(typing.get_args(field.annotation)) | {field.annotation}
            if not kinds & {int, float} or bool in kinds:
                continue
            looked_at += 1
            wrong = [math.inf, -math.inf, math.nan, True, False] + [10**30] * (float not in kinds)
            for value in wrong:
                with pytest.raises(ValidationError) as caught:
                    cls.model_validate({name: value})
                assert (name,) in [one["loc"] for one in caught.value.errors()], (cls, name, value)
    assert looked_at > 150


CUTS = {
    *("batch_size", "batch_users", "bucket_pool", "candidates", "fit_code_rows", "fit_items", "sample", "users"),
    *("validation_users", "cases", "rows", "newest", "last", "window", "last_layers", "keep_layers", "every_layer"),
    *("max_chars", "max_features", "max_length", "max_tokens", "max_words", "most", "most_nodes", "neighbours"),
    *("beams", "max_per_prefix", "k", "also", "patience", "min_steps", "refresh", "alternate", "prefix", "smallest"),
    *("capacity", "codebook_sizes"),  # see genrec.index.sizes
    *("n_items", "vector_dim", "slots"),  # what the index has; nobody sets them
}
"""Whole numbers that only cut, or count out, what there is: a larger one asks for no more work and no more memory."""


def largest(annotation, metadata):
    """The largest whole number that a setting takes, None where there is none."""
    if typing.get_origin(annotation) is typing.Annotated:
        return largest(annotation.__origin__, [*metadata, *annotation.__metadata__])
    found = [one for item in metadata for one in getattr(item, "metadata", [item])]
    own = [bound for one in found for bound in (getattr(one, "le", None), getattr(one, "lt", None)) if bound]
    inner = [largest(part, ()) for part in typing.get_args(annotation)]
    return min([*own, *(one for one in inner if one)], default=None)


def test_no_setting_asks_for_years_of_work_or_more_memory_than_there_is():
    """Rounds, steps, widths: whatever makes work or takes memory by itself has a largest value (codes: index.sizes)."""
    looked_at = 0
    for cls in every_settings_class():
        if cls.__module__.startswith(("genrec.serving", "genrec.generative.prior_experience", "genrec.prompts.task")):
            continue  # of the operator's own service; what a fit has found out
        for name, field in cls.model_fields.items():
            if int not in set(_types(field.annotation)) or bool in set(_types(field.annotation)) or name in CUTS:
                continue
            looked_at += 1
            if cls.__name__ in ("FSQSettings", "ResidualFSQSettings", "RecGPTConfig") and name in ("levels", "steps"):
                continue  # their product is the number of codes, see genrec.index.sizes
            most = largest(field.annotation, field.metadata)
            assert most is not None, (cls.__name__, name)
            with pytest.raises(ValidationError):
                cls.model_validate({name: [most + 1] if "tuple" in str(field.annotation) else most + 1})
    assert looked_at > 60


@pytest.mark.parametrize(
    ("recipe", "setting", "largest"),
    [
        ("opq-4x256", "quantizer.rounds", MOST_ROUNDS),
        ("fsq-small", "quantizer.epochs", MOST_ROUNDS),
        ("rq-kmeans-3x256", "quantizer.iterations", MOST_ROUNDS),
        ("rq-vae-3x256", "quantizer.hidden.0", LARGEST_WIDTH),
        ("rq-kmeans-3x256", "encoder.dim", LARGEST_WIDTH),
    ],
)
def test_a_part_of_a_recipe_that_would_never_end_is_refused_with_the_most(recipe, setting, largest):
    wanted = load_recipe(recipe, [f"{setting}=1000000000"])
    with pytest.raises(ConfigError, match=rf"less than or equal to {largest}"):
        SemanticIndex.build(Catalog.from_frame(pl.DataFrame({"item_id": ["a", "b"], "title": ["red", "blue"]})), wanted)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["generation.words=on"], "Input should be a number, not true or false."),
        (["generation.words=.nan"], "finite number"),
        (["generation.words=1e30"], "less than or equal to 1000000"),
        (["validation.beams=1e30"], "at most 9223372036854775807"),
        (["validation.also=[50, 0]"], "greater than or equal to 1"),
        (["trainer.num_train_epochs=1e9"], "less than or equal to 10000"),
        (["trainer.max_steps=1000000000000"], "less than or equal to 10000000"),
        (["trainer.dataloader_num_workers=1000000000"], "less than or equal to 1024"),
        (["model.max_items=1000000000"], "less than or equal to 65536"),
        (["prompts.rows_per_epoch=1000000000"], "less than or equal to 100000000"),
        (["generation.groups=1000000000"], "less than or equal to 65536"),
        (["seed=-1"], "greater than or equal to 0"),
        (["seed=4294967296"], "less than or equal to 4294967295"),
        (
            ["generation.max_per_prefix=2", "generation.groups=3"],
            "is wrong: max_per_prefix works with plain beam search",
        ),
    ],
)
def test_a_wrong_number_is_named(overrides, said):
    with pytest.raises(ConfigError) as caught:
        load_train_config("item-decoder-small", overrides)
    assert said in str(caught.value)


def test_what_was_null_can_be_said_more_of():
    assert apply_overrides({"prior": None}, ["prior.name=item-knn"]) == {"prior": {"name": "item-knn"}}


def test_settings_that_do_not_go_together_are_no_setting_without_a_name():
    from genrec.decoding.options import DecodingOptions

    with pytest.raises(ConfigError, match=r"^Settings do not go together: max_per_prefix works with plain") as error:
        DecodingOptions().changed(["max_per_prefix=2", "groups=2"])
    assert error.value.where == "--set"
    with pytest.raises(ConfigError) as error:
        parse(DecodingOptions, {"exact": True, "groups": 2})
    assert error.value.where is None
