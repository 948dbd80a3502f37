"""Random settings, recipes, conditions and splits, from wrong types to hostile YAML, for ``fuzz_tables.py``."""

import polars as pl
from fuzz_values import HOSTILE, Maker

from genrec.assets import find_asset
from genrec.baselines.registry import CLASSES
from genrec.config import parse
from genrec.data import Catalog, Histories, make_split
from genrec.data.conditions import items_where
from genrec.data.split import SplitSettings
from genrec.decoding.options import DecodingOptions
from genrec.disambiguation import RULES, build_disambiguation
from genrec.encoders import ENCODERS, build_encoder
from genrec.encoders.text import TextTemplate
from genrec.generative.config import load_train_config
from genrec.index.recipe import load_recipe
from genrec.prompts.task import load_task
from genrec.quantizers import QUANTIZERS, build_quantizer
from genrec.training.pretrain_config import load_pretrain_config

RECIPES = [
    "rq-kmeans-3x256",
    "fsq-small",
    "rq-vae-3x256",
    "concat-text-collaborative",
    "category-path",
    "sequential",
    "atomic",
]
PRESETS = ["item-decoder-small", "llm-decoder-lora", "seq2seq-tiger", "recgpt-small", "recgpt-pretrain", "demo"]
_KEYS = [
    *(
        "encoder",
        "encoder.name",
        "encoder.dim",
        "encoder.model",
        "encoder.text",
        "encoder.text.fields",
        "encoder.0.name",
    ),
    *("quantizer", "quantizer.name", "quantizer.levels", "quantizer.codebook_size", "quantizer.seed", "disambiguation"),
    *(
        "disambiguation.name",
        "name",
        "model",
        "model.architecture",
        "model.backbone",
        "model.backbone.hidden_size",
        "seed",
    ),
    *(
        "model.llm.attention",
        "model.max_items",
        "trainer",
        "trainer.learning_rate",
        "trainer.num_train_epochs",
        "tasks",
    ),
    *("tasks.0.template", "validation.users", "validation.beams", "generation.beams", "split.name", "split.options.x"),
    *(
        "examples.drop",
        "prior",
        "prior.weight",
        "catalogs",
        "catalogs.0.items",
        "objective.name",
        "x",
        "",
        ".",
        "a..b",
        "1",
    ),
    *("weight", "beams", "normalize", "exact", "prior_weight", "diversity", "k", "neighbours", "dim"),
]
_YAML = [
    *(
        "1",
        "0",
        "-1",
        "3",
        "256",
        "100000",
        "1e9",
        "1e400",
        "-0.5",
        ".nan",
        ".inf",
        "true",
        "no",
        "null",
        "~",
        "",
        "''",
    ),
    *("word", "rq-kmeans", "lsa", "sentence", "[1, 2]", "[]", "{}", "{a: 1}", "{name: lsa}", "[{name: lsa}]", "[[[]]]"),
    *("2001-01-01", "0x1f", "1_000", "12:30:45", "!!python/object/apply:os.system [id]", "!!binary aGk=", "!!set {a}"),
    *(
        "&a [*a]",
        "&a {x: *a}",
        "*gone",
        "{[1]: 2}",
        "{1: 2}",
        "{a: 1, a: 2}",
        "- x",
        "a: b: c",
        "[",
        "{",
        '"open',
        "%x",
    ),
    *(
        "{<<: {a: 1}}",
        "&a [1, *b]",
        "? x",
        "|\n x",
        "\t",
        "!!float x",
        "!!int x",
        "999999999999999999999999",
        "é",
        "\x00",
    ),
]
CATALOG = pl.DataFrame(
    {
        "item_id": [f"i{n}" for n in range(8)],
        "title": ["red cup", None, "[/b]", "tea", "", "lamp", "x", "&amp;"],
        "price": [1.5, None, 2.0, 9.99, 0.0, -1.0, 3.0, 1e300],
        "stock": [1, 2, None, 4, 5, 6, 7, 8],
        "tags": [["a", "b"], None, [], ["a > c"], ["x"], [None], ["1"], ["2"]],
        "size": ["$9.99", "XL", "1,000", "-3", None, "0", "٣", "3 cm"],
    },
    strict=False,
)


def settings_case(seed, folder):
    """One random request; whatever is wrong with it must be a GenRecError."""
    maker = Maker(seed)
    kinds = [_recipe, _train, _pretrain, _baseline, _where, _split, _decoding, _template, _file, _parts]
    kind = maker.pick(kinds)
    return kind.__name__.strip("_"), lambda: kind(maker, folder)


def _overrides(maker):
    made = []
    for _ in range(int(maker.rng.integers(0, 4))):
        value = maker.pick(_YAML) if maker.chance(0.8) else maker.pick(HOSTILE)
        made.append(maker.pick([f"{maker.pick(_KEYS)}={value}"] * 9 + [value]))
    return made


def _name(maker, known):
    return (
        maker.pick(known) if maker.chance(0.9) else maker.pick([*HOSTILE[:60], "no-such", "/etc/passwd", "../x", "/"])
    )


def _recipe(maker, folder):
    recipe = load_recipe(_name(maker, RECIPES), _overrides(maker))
    build_encoder(recipe.encoder)
    build_quantizer(recipe.quantizer)
    build_disambiguation(recipe.disambiguation)


def _train(maker, folder):
    load_train_config(_name(maker, PRESETS), _overrides(maker))


def _pretrain(maker, folder):
    load_pretrain_config(_name(maker, ["recgpt-pretrain"]), _overrides(maker))


def _baseline(maker, folder):
    cls = CLASSES[maker.pick(sorted(CLASSES))]
    cls(**{key: value for key, value in _mapping(maker, cls.Config).items() if isinstance(key, str) and key != "name"})


def _mapping(maker, settings=None):
    """A mapping from keys to values of any type, as a program may pass it; mostly keys that the settings have."""
    values = [
        1,
        -1,
        0,
        2.5,
        float("nan"),
        float("inf"),
        None,
        True,
        "x",
        "",
        [],
        [1],
        {},
        {"a": 1},
        10**30,
        "lsa",
        b"x",
        {1: 2},
    ]
    others = [key.split(".")[-1] for key in _KEYS]
    known = list(settings.model_fields) if settings is not None else []
    made = {}
    for _ in range(int(maker.rng.integers(0, 4))):
        key = maker.pick(known) if known and maker.chance(0.8) else maker.pick(others)
        made[key] = settings.model_fields[key].default if key in known and maker.chance(0.5) else maker.pick(values)
    return made


def _where(maker, folder):
    catalog = Catalog.from_frame(CATALOG)
    fields = [*CATALOG.columns, "no", "", "größe"]
    signs = ["=", "!=", "<", "<=", ">", ">=", "==", "=>", "", " = "]
    values = ["cup", "9.99", "nan", "inf", "", "1e400", "-1", "a > b", *HOSTILE[:70]]
    conditions = [
        f"{maker.pick(fields)}{maker.pick(signs)}{maker.pick(values)}" for _ in range(int(maker.rng.integers(0, 3)))
    ]
    items_where(catalog, conditions)


def _split(maker, folder):
    lengths = maker.rng.integers(0, 9, size=int(maker.rng.integers(0, 30)))
    histories = Histories.from_lists([maker.rng.integers(0, 8, size=n).tolist() for n in lengths])
    if maker.chance(0.6):
        times = maker.rng.integers(0, maker.pick([3, 10**6, 2**62]), size=len(histories.items))
        histories = Histories(histories.user_ids, histories.offsets, histories.items, times)
    moments = [
        0.5,
        0.8,
        0,
        1,
        -1,
        "0.8",
        "2020-01-01",
        "soon",
        "",
        None,
        1.5,
        10**30,
        "٣",
        [],
        True,
        float("nan"),
        "9" * 30,
    ]
    names = ["leave-one-out", "global-time", "global-time", "custom", "x", "", "Leave-One-Out"]
    keys = ["validation_from", "test_from", "min_length", "cases", "part_column", "x"]
    chosen = parse(
        SplitSettings,
        {
            "name": maker.pick(names),
            "options": maker.pick([{}, {"validation_from": 0.5, "test_from": 0.8}])
            | {maker.pick(keys): maker.pick(moments) for _ in range(int(maker.pick([0, 0, 1, 2])))},
        },
    )
    make_split(histories, chosen.name, **chosen.options)


def _decoding(maker, folder):
    DecodingOptions().changed(_overrides(maker))


def _template(maker, folder):
    text = maker.pick(
        ["{{ item.title }}", "{{ item.no }}", "{% for x in pairs %}", "{{ 1/0 }}", "{{ item.__class__ }}", "x"]
    )
    path = folder / "t.jinja"
    path.write_text(
        maker.pick(["", "", "", "---\nname: x\n---\n", "---\n", f"---\n{maker.pick(_YAML)}\n---\n"]) + text,
        encoding="utf-8",
    )
    content = {"name": str(path), "fields": maker.pick([None, ["title"], ["title", "tags"], ["no"], [], ["price"], 3])}
    if maker.chance(0.3):
        load_task(str(path))
        return
    changes = _mapping(maker, TextTemplate) if maker.chance(0.3) else {}
    parse(TextTemplate, {**content, **changes}).render(Catalog.from_frame(CATALOG))


def _file(maker, folder):
    """A shipped settings file with some values replaced, lines left out, or nothing but hostile text."""
    load, kind, names = maker.pick(
        [
            (load_recipe, "tokenizers", RECIPES),
            (load_train_config, "presets", PRESETS),
            (load_pretrain_config, "presets", PRESETS),
        ]
    )
    lines = find_asset(kind, maker.pick(names), ".yaml", "file").read_text(encoding="utf-8").splitlines()
    for _ in range(int(maker.rng.integers(0, 4))):
        at = int(maker.rng.integers(len(lines)))
        key, colon, _ = lines[at].partition(":")
        lines[at] = (
            f"{key}: {maker.pick(_YAML)}" if colon and maker.chance(0.8) else maker.pick(["", lines[at] * 2, "x: 1"])
        )
    path = folder / "s.yaml"
    content = "\n".join(lines) if maker.chance(0.9) else maker.pick(HOSTILE)
    path.write_bytes(content.encode() if maker.chance(0.95) else b"\xff\xfe" + content.encode("utf-16"))
    load(str(path), _overrides(maker) if maker.chance(0.2) else [])


def _parts(maker, folder):
    build, known = maker.pick([(build_encoder, ENCODERS), (build_quantizer, QUANTIZERS), (build_disambiguation, RULES)])
    name = maker.pick(sorted(known)) if maker.chance(0.85) else maker.pick(["x", None, 3, [], ""])
    settings = getattr(known[name], "Config", None) if isinstance(name, str) and name in known else None
    build({**_mapping(maker, settings), "name": name} if maker.chance(0.95) else _mapping(maker))
