"""README and docs: every block of commands and code runs as it stands or says why not; made pages are up to date."""

import contextlib
import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from support import make_tables
from typer.testing import CliRunner

from genrec.cli.main import app

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"(<!-- not run: [^\n]+ -->\n)?```(\w+)\n(.*?)```", re.DOTALL)
WITH_CODE = [page for page in PAGES if re.search(r"```(bash|sh|console|python)\n", page.read_text(encoding="utf-8"))]


def name_of(page):
    return str(page.relative_to(ROOT))


def write_tables(folder):
    items, interactions = make_tables()
    renamed = {old: f"item-{n}" for n, old in enumerate(items["item_id"])}
    items = items.with_columns(pl.col("item_id").replace(renamed), pl.col("categories").list.join(", "))
    items[:50].write_csv(folder / "items.csv")
    items[50:].write_csv(folder / "new_items.csv")
    interactions.with_columns(pl.col("item_id").replace(renamed)).write_csv(folder / "interactions.csv")


@pytest.fixture
def shop(tmp_path, monkeypatch):
    write_tables(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


FIRST = {
    "index": "genrec index build items.csv --interactions interactions.csv --tokenizer rq-kmeans-3x256-fused "
    "--out runs/index",
    "model": "genrec train runs/index interactions.csv --config vector-decoder --out runs/model",
}
"""What the commands make in ``runs`` that the README and the tutorial begin with."""


@pytest.fixture(scope="module")
def first_pages(tmp_path_factory):
    """The folder ``runs`` after the first commands, made once: the index and the model that later pages begin with."""
    folder = tmp_path_factory.mktemp("first-pages")
    write_tables(folder)
    with contextlib.chdir(folder):
        run_commands("\n".join(FIRST.values()))
    return folder / "runs"


@pytest.mark.parametrize("page", WITH_CODE, ids=name_of)
def test_blocks_run_as_they_stand_or_say_why_not(page, shop, request):
    """In the order of the page, on tiny tables of the names that it uses; what an earlier page made is made first."""
    text = page.read_text(encoding="utf-8")
    ran = 0
    if page.parent == ROOT / "docs" and "runs/" in text and page.name != "index.md":
        made = request.getfixturevalue("first_pages")
        for name in ("index", "model") if "runs/model" in text else ("index",):
            shutil.copytree(made / name, shop / "runs" / name)
    made = request.getfixturevalue("first_pages") if any(command in text for command in FIRST.values()) else None
    for reason, language, code in BLOCK.findall(text):
        if language == "python":
            if not code.startswith("# not run: "):
                exec(compile(code, name_of(page), "exec"), {})
                ran += 1
        elif language == "bash":
            ran += run_commands(code, made)
        elif language in ("sh", "console"):
            assert reason, f"a block of {name_of(page)} neither runs nor says why not:\n{code}"
    assert ran or all(reason for reason, language, _ in BLOCK.findall(text) if language in ("sh", "console"))


def run_commands(code, made=None):
    """Run the commands of a block; what one of ``FIRST`` makes of the same tables is copied from ``made``."""
    lines = [line.split("#")[0].strip() for line in code.splitlines()]
    commands = [line for line in lines if line.startswith("genrec ")]
    for command in commands:
        there = [name for name, first in FIRST.items() if made and command == first and not Path("runs", name).exists()]
        for name in there:
            shutil.copytree(made / name, Path("runs", name))
        if there:
            continue
        result = CliRunner().invoke(app, shlex.split(command)[1:])
        assert result.exit_code == 0, f"{command}\n{result.output}\n{result.exception!r}"
    return len(commands)


@pytest.mark.parametrize("script", ["make_reference.py", "draw_house.py", "preset_tables.py", "literature_page.py"])
def test_made_pages_are_up_to_date(script):
    done = subprocess.run([sys.executable, f"scripts/{script}", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_what_a_setting_means_begins_with_its_noun():
    text = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    meanings = re.findall(r"^\| `[^`]+` \|.*\| ([^|]+) \|$", text, flags=re.M)
    assert len(meanings) > 100
    assert [one for one in meanings if re.match(r"(of|for|with|as|at|by|on|how many of) ", one)] == []


def test_the_site_builds_without_a_warning(tmp_path):
    if importlib.util.find_spec("mkdocs") is None:
        pytest.skip("mkdocs is not installed: pip install genrec[docs]")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "site" / "reference" / "api" / "index.html").stat().st_size > 20_000


def test_the_readme_is_short_and_easy_to_read():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.encode()) <= 9 * 1024
    prose = re.sub(r"```.*?```|\|[^\n]*\||`[^`]*`|\([^)]*\)", " ", text, flags=re.DOTALL)
    words = re.findall(r"[A-Za-z]+", prose)
    numbers = re.findall(r"(?<![\w.])[.\d]*\d", prose)
    assert len(numbers) <= 3 * len(words) / 100
    sentences = re.split(r"(?<=[.!?:;])\s|\n\s*[*#]|\n\n", re.sub(r"\[([^]]*)\]", r"\1", prose))
    crowded = [one for one in sentences if len(re.findall(r"(?<![\w.])[.\d]*\d", one)) > 1]
    assert crowded == [], "at most one number a sentence"


def test_every_kind_of_part_has_a_whole_example():
    """The table of Extending promises an example of each; every one is code that the test above runs, or a file."""
    text = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    for anchor in re.findall(r"^\| \[[^]]+\]\(#([a-z-]+)\)", text, flags=re.M):
        title = next(one for one in re.findall(r"^## (.+)$", text, flags=re.M) if slug(one) == anchor)
        section = text.partition(f"## {title}\n")[2].partition("\n## ")[0]
        assert re.search(r"```(python|yaml)\n", section), title


def slug(title):
    return re.sub(r"[^a-z -]", "", title.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_inside_the_repository_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{name_of(page)} links to {target}"


OF_EXAMPLES = {
    "genrec/cli/longest.py",
    "genrec/quantizers/my_method.py",
    "tokenizers/my-method.yaml",
    "scripts/results/NAME.json",
}
"""Files that the pages tell a reader to write."""


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=name_of)
def test_files_that_a_page_names_are_there(page):
    named = r"`((?:genrec|scripts|tests|docs|prompts|tokenizers|findings)/[\w./-]+)`"
    files = set(re.findall(named, page.read_text(encoding="utf-8"))) - OF_EXAMPLES
    assert [name for name in sorted(files) if not (ROOT / name).exists()] == []


def test_every_preset_has_a_page():
    presets = {path.stem for path in (ROOT / "genrec" / "presets").glob("*.yaml")}
    pages = {path.stem for path in (ROOT / "docs" / "presets").glob("*.md")} - {"index"}
    assert presets == pages


def test_every_preset_page_has_the_same_parts():
    """What the paper says, what ours does otherwise, what was measured, what it costs, and where it ends."""
    parts = ["What the paper says", "What our code does otherwise", "Reproduction", "Cost", "Limits"]
    for page in sorted((ROOT / "docs" / "presets").glob("*.md")):
        if page.stem != "index":
            titles = re.findall(r"^## (.+)$", page.read_text(encoding="utf-8"), flags=re.M)
            assert [title for title in titles if title in parts] == parts, page.name
