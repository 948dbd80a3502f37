"""The lines under "next" are pasted as they stand, one after the other, until there are none left."""

import shlex

import polars as pl
import pytest
from support import TINY_TOKENIZER, make_tables
from typer.testing import CliRunner

from genrec.cli.main import app


def paste(line, code=0):
    """Run a line as a shell would; the lines that it names next."""
    program, *words = shlex.split(line)
    assert program == "genrec"
    result = CliRunner().invoke(app, words)
    assert result.exit_code == code, f"{line}\n{result.output}\n{result.stderr}\n{result.exception!r}"
    _, heading, rest = result.stdout.rpartition("\nnext\n")
    return [one.strip() for one in rest.splitlines() if one.startswith("  genrec ")] if heading else []


@pytest.fixture
def export(tmp_path, monkeypatch):
    """A shop's export, with columns of its own, rows in no order, and blanks in the paths."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my shop").mkdir()
    items, log = make_tables()
    items = items.with_columns(pl.col("categories").list.join(" "), price=pl.int_range(pl.len()) * 1.5)
    items.rename({"item_id": "sku", "title": "product name"}).write_csv("my shop/all items.csv")
    log = log.rename({"user_id": "customer", "item_id": "sku", "timestamp": "bought_at"})
    log.sample(fraction=1, shuffle=True, seed=0).write_csv("my shop/log.csv")
    return tmp_path


def test_from_a_shops_export_to_recommendations_by_pasting_alone(export):
    """Nothing is typed but the first line, without a single option."""
    todo, done = paste("genrec data check 'my shop/all items.csv' 'my shop/log.csv'", code=1), []
    while todo:
        line = todo.pop(0)
        if line not in done:
            done.append(line)
            todo += paste(line)
    verbs = [" ".join(line.split()[1:3]) for line in done]
    assert verbs == ["data check", "index build", "index show", "train runs/index", *verbs[4:]]
    assert {verb.split()[0] for verb in verbs[4:]} == {"evaluate", "generate", "page"}
    for option in ("--user-column customer", "--time-column bought_at", "--id-column sku"):
        assert option in done[0]
        assert option in done[1]
        assert option not in done[3]  # remembered
    (recommended,) = export.glob("runs/*-recs.parquet")
    table = pl.read_parquet(recommended)
    assert table["user_id"].n_unique() == 80
    assert table.columns == ["user_id", "rank", "item_id", "score", "title"]
    assert table["title"].str.contains("red|blue").all()


@pytest.mark.parametrize(
    ("items", "log", "options", "next_options"),
    [
        ("item_id,title", "foo,bar,bought_at", "", None),
        ("item_id,title", "user_id,bar,bought_at", "", None),
        ("item_id,title", "user_id,item_id,when_done", "--time-column nothing", "--time-column when_done"),
        ("item_id,title", "user_id,item_id,foo", "--time-column nothing", None),
        ("code_no,words", "user_id,item_id,timestamp", "", None),
        (None, "customer,sku,bought_at", "", None),
        ("code_no,words", "customer,item_id,foo", "--id-column code_no", "--id-column code_no --user-column customer"),
    ],
)
def test_a_line_after_an_error_is_complete_or_is_not_there(items, log, options, next_options, tmp_path, monkeypatch):
    """A line that names the time, where the items stay unknown, would only fail again."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "log.csv").write_text(f"{log}\nu1,a,{'b' if 'foo' in log else '2020-01-01'}\n")
    if items:
        (tmp_path / "items.csv").write_text(f"{items}\na,red cup\n")
    found = paste(f"genrec data check items.csv log.csv {options}", code=1)
    if next_options is None:
        assert not found
    else:
        [line] = found
        assert sorted(shlex.split(line)[5:]) == sorted(next_options.split())
        paste(line)


def test_what_was_said_is_kept_from_line_to_line(export):
    """Recipe, settings, interactions, columns, split and lost rows that are allowed."""
    with open("my shop/log.csv", "a") as log:
        log.write("broken,row\n" * 40)
    columns = "--id-column sku --title-column 'product name' --user-column customer --time-column bought_at"
    allowed = "--allow-lost 0.2"
    tables = f"'my shop/all items.csv' 'my shop/log.csv' {columns} {allowed}"
    (build,) = paste(f"genrec data check {tables}")
    assert "--title-column 'product name'" in build
    assert allowed in build
    split = "--split global-time --validation-from 0.6 --test-from 0.8"
    (from_audit,) = paste(f"genrec audit {tables} {split} --vectors none")
    assert split in from_audit
    assert "--interactions 'my shop/log.csv'" in from_audit
    tiny = " ".join(f"--set {change}" for change in TINY_TOKENIZER[1:])
    recipes = "--tokenizer random-3x256 --tokenizer rq-kmeans-3x256"
    events = f"'my shop/all items.csv' --interactions 'my shop/log.csv' {columns} {allowed} {split}"
    (from_compare,) = paste(f"genrec index compare {events} {recipes} {tiny} --out compared")
    for part in (split, tiny, allowed, "--tokenizer r", "--interactions 'my shop/log.csv'"):
        assert part in from_compare
    show, train = paste(from_compare)
    assert (show, train) == (
        "genrec index show runs/index",
        f"genrec train runs/index 'my shop/log.csv' {allowed} --config vector-decoder --out runs/model",
    )
    paste(show)
    another = paste(from_audit.replace("runs/index", "runs/index-2"))[1]
    assert "train runs/index-2" in another
    assert allowed in another
    (evaluate, *_) = paste(f"genrec baseline popularity {tables} {split} --out runs/popularity")
    assert evaluate == f"genrec evaluate runs/popularity 'my shop/log.csv' {allowed} --out runs/popularity-eval"
    for line in paste(evaluate):
        paste(line)


def test_from_official_cases_to_an_index_by_pasting(export):
    """Files of one case a row, as public repositories publish their splits, become a split of one's own."""
    log = pl.read_csv("my shop/log.csv").sort("customer", "bought_at")
    rows = {"train": [], "valid": [], "test": []}
    for (user,), own in log.group_by(["customer"], maintain_order=True):
        items = own["sku"].to_list()
        for at in range(1, len(items)):
            part = "test" if at == len(items) - 1 else "valid" if at == len(items) - 2 else "train"
            rows[part].append(
                {"user_id": user, "history_item_id": str(items[max(0, at - 3) : at]), "item_id": items[at]}
            )
    for part, cases in rows.items():
        pl.DataFrame(cases, schema=["user_id", "history_item_id", "item_id"]).write_csv(f"my shop/{part}.csv")
    files = "--train 'my shop/train.csv' --validation 'my shop/valid.csv' --test 'my shop/test.csv'"
    lines = paste(f"genrec data cases 'my shop/all items.csv' --id-column sku {files} --out cases.csv")
    again = pl.read_csv("cases.csv")
    assert again.height == log.height
    assert again["item_id"].to_list() == log["sku"].to_list()
    assert again["part"].value_counts().sort("part")["count"].to_list() == [80, log.height - 160, 80]
    [line] = lines
    assert "--part-column part" in line
    lines = paste(f"{line} {' '.join(f'--set {change}' for change in TINY_TOKENIZER)}")
    assert any(one.startswith("genrec train") for one in lines)
    paste("genrec baseline popularity 'my shop/all items.csv' cases.csv --id-column sku --part-column part --out pop")
    result = CliRunner().invoke(app, shlex.split("evaluate pop cases.csv --out report"))
    assert "80" in result.output
    assert "custom" in result.output


def test_lines_name_outputs_that_are_not_taken(export):
    from genrec.cli.reading import free_path

    (export / "runs" / "index").mkdir(parents=True)
    assert str(free_path("runs/index")) == "runs/index-2"
    (export / "recs.parquet").write_text("")
    assert str(free_path("recs.parquet")) == "recs-2.parquet"
    assert str(free_path("a.b/recs")) == "a.b/recs"


def test_lines_after_pretraining_are_commands_on_its_first_catalogue(export):
    import typer

    from genrec.cli.columns import Tables
    from genrec.cli.pretrain import _then
    from genrec.data.naming import ColumnNames
    from genrec.training.pretrain_config import DomainSettings

    names = ColumnNames(user="customer", id="sku", time="bought_at")
    tables = {"items": export / "my shop" / "all items.csv", "interactions": export / "my shop" / "log.csv"}
    shop = DomainSettings(name="shop", columns=names, **tables)
    lines = _then(export / "runs" / "pretrained", shop, Tables.of(allow_lost=0.1))
    for line, verb in zip(lines, ("index build", "generate", "train"), strict=True):
        assert line.startswith(f"genrec {verb} ")
        assert "--allow-lost 0.1" in line
        command, words = typer.main.get_command(app), shlex.split(line)[1:]
        while hasattr(command, "commands"):
            command = command.commands[words.pop(0)]
        command.make_context(verb, words)  # it parses: every option is there
    assert "--user-column customer --time-column bought_at --id-column sku" in lines[0]
