"""The shape of the project: floors, data-only folders, light imports, what the wheel carries."""

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FLOORS = {
    **dict.fromkeys(
        ("data", "schema", "config", "artifacts", "assets", "drawing", "errors", "metrics", "registry", "wording"), 0
    ),
    **dict.fromkeys(("encoders", "quantizers", "disambiguation", "trie", "index"), 1),
    **dict.fromkeys(("models", "prompts"), 2),
    "decoding": 3,
    **dict.fromkeys(("recommender", "generative", "training", "baselines"), 4),
    **dict.fromkeys(("batch", "sharding", "audit", "evaluation", "benchmarks"), 5),
    "cli": 6,
    "__main__": 6,
}


def imported(path):
    """Modules that a file imports when it is loaded (imports inside functions and for type checking come later)."""
    tree = ast.parse(path.read_text())
    nodes = list(tree.body)
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            nodes += node.orelse
        elif isinstance(node, ast.Try | ast.If | ast.With):
            nodes += [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]


def test_modules_import_from_their_own_floor_or_below():
    wrong = []
    for path in (ROOT / "genrec").rglob("*.py"):
        name = path.relative_to(ROOT / "genrec").with_suffix("").parts[0]
        if name == "__init__":
            continue
        assert name in FLOORS, f"{path} stands on no floor; add it to the table"
        for module in imported(path):
            parts = module.split(".")
            if parts[0] == "genrec" and len(parts) > 1 and FLOORS.get(parts[1], 0) > FLOORS[name]:
                wrong.append(f"{path.relative_to(ROOT)} imports {module}")
    assert not wrong


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
