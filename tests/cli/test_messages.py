"""No message names an option that its command lacks: what the code can say, and what wrong inputs make it say."""

import ast
import re
from pathlib import Path

import polars as pl
import pytest
import typer
from support import TINY_TOKENIZER, TINY_TRAINING, make_tables
from typer.testing import CliRunner

from genrec.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
OPTION = re.compile(r"(?<![\w!-])--[a-z][a-z-]*[a-z]")
ANOTHER = re.compile(r"genrec ((?:[a-z]+ )?[a-z]+)\b")
OF_OTHERS = {"--config_file", "--num_processes", "--partial"}  # accelerate's, rsync's


def every_verb():
    """Options and arguments of every command, by name."""

    def walk(command, name):
        if not hasattr(command, "commands"):
            found = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
            yield name, found | {"--help"}
        else:
            for sub, one in command.commands.items():
                yield from walk(one, f"{name} {sub}".strip())

    return dict(walk(typer.main.get_command(app), ""))


VERBS = every_verb()
READ_ITEMS = {"data check", "audit", "baseline", "index build", "index compare", "index add", "pretrain"}
READ_INTERACTIONS = {"data check", "audit", "baseline", "index build", "index show", "index compare", "pretrain"}
READ_INTERACTIONS |= {"train", "generate", "evaluate", "bench regret"}
READ_LISTS = READ_ITEMS | {"generate", "evaluate"}
SPLIT = READ_INTERACTIONS - {"data check", "generate", "evaluate", "bench regret"}
EVERYWHERE = {
    "--user-column": READ_INTERACTIONS,
    "--item-column": READ_INTERACTIONS,
    "--time-column": READ_INTERACTIONS,
    "--id-column": READ_LISTS,
    "--title-column": READ_ITEMS,
    "--html": READ_ITEMS,
    "--quotes": READ_ITEMS | READ_INTERACTIONS | READ_LISTS,
    "--allow-lost": READ_ITEMS | READ_INTERACTIONS | READ_LISTS,
    "--part-column": SPLIT | {"evaluate", "bench regret"},
    "--split": SPLIT,
    "--validation-from": SPLIT,
    "--test-from": SPLIT,
}
"""What messages about a table name, and the commands that read such a table."""


@pytest.mark.parametrize("option", EVERYWHERE)
def test_every_command_that_reads_a_table_has_its_options(option):
    assert {verb for verb, options in VERBS.items() if option in options} >= EVERYWHERE[option]


def said(text, verb=None):
    """(command, option) for every option in a message; those behind another command belong to that one."""
    found = []
    for line in re.split(r"\n|[.;)] |\)", text):
        at, owner = 0, verb
        for option in OPTION.finditer(line):
            for other in ANOTHER.finditer(line, at, option.start()):
                words = other[1].split()
                owner = next((" ".join(words[:n]) for n in (2, 1) if " ".join(words[:n]) in VERBS), owner)
            at = option.end()
            if option[0] not in OF_OTHERS:
                found.append((owner, option[0]))
    return found


def texts_of(path):
    """Every text of a module but its docstrings; an f-string as one text."""
    tree = ast.parse(path.read_text())
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(one.value) if isinstance(one, ast.Constant) else "…" for one in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings | inside:
            yield node.value


# Who can be the speaker of a message with such an option, where it is not said in the message or in EVERYWHERE.
OUTPUTS = {verb for verb, options in VERBS.items() if "--out" in options}
TRUSTING = {
    "train",
    "pretrain",
    "generate",
    "serve",
    "evaluate",
    "index build",
    "index add",
    "index compare",
    "bench regret",
}
"""Commands that load language models or sentence encoders, which may bring code."""

SPEAKERS = {
    "trust.py": TRUSTING,
    "models/settings.py": TRUSTING,
    "artifacts/": OUTPUTS - {"bench regret", "bench decode", "demo"},
    "training/learned.py": {"train"},
    "training/objectives/": {"train"},
    "training/session.py": {"train", "pretrain"},
    "training/pretrain.py": {"pretrain"},
    "training/domains.py": {"pretrain"},
    "models/llm/stored.py": {"generate", "evaluate", "bench regret"},
    "data/cases.py": {"evaluate"},
    "data/histories.py": {"generate"},
    "generative/pretrained.py": {"train", "generate", "evaluate", "bench regret"},
    "sharding/": {"generate"},
    "serving/": {"serve"},
    "index/report/compare.py": {"index compare"},
    "index/item_tokenizer.py": {"index build"},
    "encoders/precomputed.py": {"index add"},
    "data/item_lists.py": {"generate"},
    "decoding/options.py": {"generate", "evaluate"},
    "cli/options.py": {verb for verb in OUTPUTS if "--overwrite" in VERBS[verb]},
    "cli/index_compare.py": {"index compare"},
    "cli/slicing.py": {"evaluate"},
    "cli/contestants.py": {"evaluate", "bench regret"},
    "cli/shards.py": {"generate"},
    "cli/seeds.py": {"train"},
    "training/seeds.py": {"train"},
    "page/": {"page"},
}


def test_no_text_of_the_code_names_an_option_that_no_speaker_has():
    wrong = []
    for path in sorted((ROOT / "genrec").rglob("*.py")):
        place = path.relative_to(ROOT / "genrec").as_posix()
        own = {verb for verb in VERBS if place == f"cli/{verb.split()[0]}.py"}
        speakers = own or next((verbs for start, verbs in SPEAKERS.items() if place.startswith(start)), set())
        for text in texts_of(path):
            if place.startswith("cli/") and OPTION.fullmatch(text.split("/")[0]):
                continue  # the option itself, where it is declared or put into a command
            for verb, option in said(text):
                if verb is not None:
                    wrong += [] if option in VERBS[verb] else [f"{place}: genrec {verb} has no {option}"]
                elif option in EVERYWHERE or any(option in VERBS[one] for one in own):
                    continue
                else:
                    lacking = [one for one in speakers if option not in VERBS[one]] or ([] if speakers else ["nobody"])
                    wrong += [f"{place}: {option} is lacked by {', '.join(lacking)}: {text!r}"] if lacking else []
    assert not wrong, "\n".join(wrong)


def run(*words, code=None):
    result = CliRunner().invoke(app, [str(word) for word in words])
    text = f"{' '.join(map(str, words))}\n{result.output}\n{result.exception!r}"
    assert result.exception is None or isinstance(result.exception, SystemExit), text
    assert code is None or result.exit_code == code, text
    return result


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    items, log = make_tables()
    items = items.with_columns(pl.col("categories").list.join(" "))
    items.write_csv(folder / "items.csv")
    log.write_csv(folder / "log.csv")
    tiny = [word for change in TINY_TOKENIZER for word in ("--set", change)]
    run("index", "build", folder / "items.csv", *tiny, "--out", folder / "index", code=0)
    tiny = [word for change in TINY_TRAINING for word in ("--set", change)]
    run("train", folder / "index", folder / "log.csv", *tiny, "--out", folder / "model", code=0)
    run("baseline", "popularity", folder / "items.csv", folder / "log.csv", "--out", folder / "popularity", code=0)
    return folder


def wrong_tables(items, log):
    """Tables with one fault each: name, items, interactions (None: as they should be)."""
    foreign = log.rename({"user_id": "customer", "item_id": "sku", "timestamp": "bought_at"})
    yield "foreign names", items.rename({"item_id": "sku", "title": "name"}), foreign
    yield "no users", None, log.rename({"user_id": "who"})
    yield "no items", None, log.rename({"item_id": "what"})
    yield "a time by another name", None, log.rename({"timestamp": "bought_at"})
    yield "unreadable times", None, log.with_columns(timestamp=pl.lit("soon"))
    unknown = pl.concat_str(pl.lit("x"), pl.col("item_id"))
    half = pl.when(pl.int_range(pl.len()) % 2 == 0).then(unknown).otherwise("item_id")
    yield "unknown items", None, log.with_columns(item_id=half)
    yield "items without ids", items.with_columns(item_id=pl.when(pl.int_range(pl.len()) > 3).then("item_id")), None


BROKEN = [f"u{n},i{n:03d},{n},too,many" for n in range(30)]


@pytest.fixture(scope="module")
def faults(made, tmp_path_factory):
    """Paths of items and interactions, one of them with a fault."""
    folder = tmp_path_factory.mktemp("faults")
    items, log = pl.read_csv(made / "items.csv"), pl.read_csv(made / "log.csv")
    found = []
    for number, (name, wrong_items, wrong_log) in enumerate(wrong_tables(items, log)):
        paths = [made / "items.csv", made / "log.csv"]
        for at, frame in enumerate((wrong_items, wrong_log)):
            if frame is not None:
                paths[at] = folder / f"{'items' if at == 0 else 'log'}{number}.csv"
                frame.write_csv(paths[at])
        found.append((name, *paths))
    for name, text in (
        ("broken rows", "user_id,item_id,timestamp\n" + "\n".join(BROKEN)),
        ("some broken rows", (made / "log.csv").read_text() + "\n".join(BROKEN)),
        ("no heading", "u1,i001,7\nu1,i002,8\n"),
        ("quotes", 'user_id,item_id,timestamp\nu1,"a\\"b, c",7\nu2,"i001,8\nu3,i002",9\n'),
        ("empty", ""),
    ):
        path = folder / f"{name}.csv"
        path.write_text(text)
        found.append((name, made / "items.csv", path))
        found.append((f"items with {name}", path, made / "log.csv"))
    found.append(("nowhere", folder / "nowhere.csv", folder / "nowhere.csv"))
    return found


def commands(made, items, log, out):
    """Every command that reads tables, as a person would call it on these; the output is never there before."""
    index, model = made / "index", made / "model"
    yield "data check", (items, log)
    yield "audit", (items, log, "--vectors", "none")
    yield "baseline", ("popularity", items, log, "--out", out)
    yield "index build", (items, "--interactions", log, "--out", out)
    yield "index show", (index, "--interactions", log)
    yield "index compare", (items, "--tokenizer", "random-3x256", "--interactions", log, "--out", out)
    yield "index add", (index, items, "--out", out)
    yield "train", (index, log, "--out", out)
    yield "pretrain", ("--domain", f"a={items},{log}", "--out", out)
    yield "generate", (model, log, "--k", "3", "--out", f"{out}.csv")
    yield "generate", (made / "popularity", log, "--deny", items, "--out", f"{out}.csv")
    yield "generate", (model, made / "log.csv", "--prior", log, "--out", f"{out}.csv")
    yield "evaluate", (model, log, "--baseline", "popularity", "--out", out)
    yield "evaluate", (model, made / "log.csv", "--candidates", log, "--out", out)
    yield "evaluate", (model, made / "log.csv", "--slice", "x", "--item-table", items, "--out", out)
    yield "evaluate", (model, made / "log.csv", "--slice", "x", "--user-table", log, "--out", out)
    yield "bench regret", (model, log, "--users", "3", "--beams", "2")


VERBS_WITH_TABLES = sorted(READ_ITEMS | READ_INTERACTIONS)


@pytest.mark.parametrize("verb", VERBS_WITH_TABLES)
def test_what_wrong_tables_make_a_command_say(verb, made, faults, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wrong, refused = [], 0
    for number, (name, items, log) in enumerate(faults):
        for other, words in commands(made, items, log, tmp_path / f"out{number}"):
            read = " ".join(map(str, words))
            if other != verb or not any(str(path) in read for path in (items, log) if path.parent != made):
                continue  # the fault is in a table that this command does not read
            result = run(*verb.split(), *words)
            assert "Traceback" not in result.output
            refused += result.exit_code != 0
            for owner, option in said(result.output, verb):
                if option not in VERBS[owner]:
                    wrong.append(f"{name}: genrec {owner} has no {option}\n{result.output}")
    assert refused > 3
    assert not wrong, "\n".join(wrong)
