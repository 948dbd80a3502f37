"""The shape of the project: floors, data-only folders, light imports, what the wheel carries."""

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FLOORS = (
    (
        "data",
        "schema",
        "config",
        "artifacts",
        "assets",
        "compiling",
        "drawing",
        "errors",
        "exact_products",
        "importing",
        "metrics",
        "pages",
        "progress",
        "registry",
        "templates",
        "tensors",
        "threads",
        "trust",
        "wording",
    ),
    ("encoders", "quantizers", "disambiguation", "trie"),
    ("index",),
    ("models", "prompts"),
    ("decoding",),
    ("recommender", "recommendations", "explanation"),
    ("baselines",),
    ("generative",),
    ("loading", "sharing"),
    ("training",),
    ("batch", "sharding", "serving", "audit", "evaluation", "benchmarks", "page"),
    ("cli", "__main__"),
)
"""From data up to people; a module knows its own floor and those below."""

COMPOSITES = {
    ("genrec.encoders.fused", "genrec.encoders"),
    ("genrec.quantizers.concat", "genrec.quantizers"),
}
"""The only imports that may close a circle: parts made of other parts of their own family, by name."""

MODULE_LINES, FUNCTION_LINES = 350, 60


def sources():
    """Every module of the package and its file; the root, which finds names on demand, is left out."""
    for path in sorted((ROOT / "genrec").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if name != "genrec":
            yield name, path


MODULES = dict(sources())


def imported(path):
    """Modules of the package that a file imports anywhere: on loading, inside functions, or for types only."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in MODULES else node.module for name in names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def circling(arrows):
    """What is left when everything is taken away that imports nothing, again and again: circles and their users."""
    while free := {name for name, ones in arrows.items() if not ones}:
        arrows = {name: ones - free for name, ones in arrows.items() if name not in free}
    return arrows


@pytest.fixture(scope="module")
def arrows():
    """Module → modules of the package that it imports."""
    return {name: {one for one in imported(path) if one in MODULES and one != name} for name, path in MODULES.items()}


def test_modules_import_from_their_own_floor_or_below(arrows):
    floor = {name: number for number, names in enumerate(FLOORS) for name in names}
    unknown = {name.split(".")[1] for name in arrows} - set(floor)
    assert not unknown, f"{unknown} stand on no floor; add them to the table"
    up = [
        f"{name} imports {one}"
        for name, ones in arrows.items()
        for one in sorted(ones)
        if floor[one.split(".")[1]] > floor[name.split(".")[1]]
    ]
    assert up == []


def test_imports_make_no_circle(arrows):
    """Deferred and type-only imports count: what must be known together cannot be understood apart."""
    left = circling({name: {one for one in ones if (name, one) not in COMPOSITES} for name, ones in arrows.items()})
    circles = {name: sorted(ones) for name, ones in left.items() if any(name in left[one] for one in ones)}
    assert left == {}, f"modules that import each other, or import such modules: {circles or left}"


def test_scripts_make_no_circle():
    """The same holds of scripts that use each other."""
    paths = {path.stem: path for path in (ROOT / "scripts").glob("*.py")}
    assert circling({name: set(imported(path)) & set(paths) - {name} for name, path in paths.items()}) == {}


def test_modules_and_functions_are_short_enough_to_be_read_at_once():
    """Signatures and docstrings count. A command's body reads options, checks, works, reports; the rest has names."""
    modules, functions = {}, {}
    for path in sorted([*(ROOT / "genrec").rglob("*.py"), *(ROOT / "scripts").glob("*.py")]):
        text, place = path.read_text(encoding="utf-8"), path.relative_to(ROOT).as_posix()
        modules[place] = text.count("\n")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                functions[f"{place}: {node.name}"] = (node.end_lineno or 0) - node.lineno + 1
    long = {place: lines for place, lines in modules.items() if lines > MODULE_LINES and place.startswith("genrec/")}
    assert long == {}
    assert {name: lines for name, lines in functions.items() if lines > FUNCTION_LINES} == {}


@pytest.mark.parametrize("folder", ["tokenizers", "prompts"])
def test_recipes_and_prompts_hold_no_python(folder):
    assert [path for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".pyc", ".pyi")] == []
    assert len(list((ROOT / folder).iterdir())) > 1


@pytest.mark.parametrize("code", ["import genrec", "from genrec.cli.main import app", "import genrec.index"])
def test_importing_genrec_does_not_import_torch(code):
    """Promise 6."""
    check = f"{code}; import sys; print([m for m in ('torch', 'transformers', 'sklearn') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_help_of_every_command_does_not_import_torch():
    """Promise 6."""
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom genrec.cli.main import app\n"
        "verbs = ['', 'data check', 'audit', 'index build', 'pretrain', 'train', 'generate', 'evaluate', 'demo']\n"
        "for verb in verbs:\n"
        "    result = CliRunner().invoke(app, [*verb.split(), '--help'])\n"
        "    assert result.exit_code == 0 and 'Usage' in result.output, result.output\n"
        "print('torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "False", done.stderr


@pytest.mark.slow
def test_the_wheel_carries_recipes_prompts_and_presets(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "-q", "-w", str(tmp_path), str(ROOT)], check=True
    )
    names = set(zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist())
    for folder in ("tokenizers", "prompts"):
        for path in (ROOT / folder).iterdir():
            assert f"genrec/_assets/{folder}/{path.name}" in names
    assert any(name.startswith("genrec/presets/") for name in names)
    assert not any(name.split("/")[0] in ("tokenizers", "prompts") for name in names)
