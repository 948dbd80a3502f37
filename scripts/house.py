"""Measures the shape of the package, from its source alone: nothing is imported but Python's own modules.

python scripts/house.py                     shows the figures of this checkout
python scripts/house.py --before FOLDER     beside those of another one; writes scripts/results/house.json and .md
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import subprocess
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from statistics import median

from draw_house import floors

ROOT = Path(__file__).resolve().parent.parent
FLOORS = floors()
FORMER = {
    "fitting": "training",
    "foundation": "generative",
    "generate": "batch",
    "index_report": "index",
    "item_tokenizer": "index",
    "pretraining": "training",
    "recipe": "index",
    "vector_store": "models",
}
"""Names that parts had before they moved, and where they belong."""


@dataclass(frozen=True)
class Module:
    """One file of the package.

    Attributes:
        name: Such as ``genrec.trie``.
        text: Its source.
        tree: The same, parsed.
    """

    name: str
    text: str
    tree: ast.Module

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """All of its tree, in the order of :func:`ast.walk`."""
        return list(ast.walk(self.tree))

    @property
    def part(self) -> str:
        """First part below the package."""
        return self.name.split(".")[1]

    @property
    def floor(self) -> int:
        """Number of its floor; a part that the table lacks stands on top."""
        wanted = FORMER.get(self.part, self.part)
        return next((n for n, names in enumerate(FLOORS) if wanted in names), len(FLOORS))


@cache
def modules(root: Path) -> dict[str, Module]:
    """All modules by name; the root, which finds names on demand, is left out."""
    found = {}
    for path in sorted((root / "genrec").rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if name != "genrec":
            text = path.read_text(encoding="utf-8")
            found[name] = Module(name, text, ast.parse(text))
    return found


def imports(module: Module, known: dict[str, Module]) -> set[str]:
    """Modules of the package that one imports anywhere: on loading, inside functions, or for types only."""
    names: set[str] = set()
    for node in module.nodes:
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            names |= {name if name in known else node.module for name in whole}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name for name in names if name in known and name != module.name}


def circles(arrows: dict[str, set[str]]) -> list[set[str]]:
    """Groups of modules of which each imports, in the end, every other: strongly connected, of two or more."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(name: str) -> None:
        order[name] = low[name] = len(order)
        stack.append(name)
        for other in sorted(arrows[name]):
            if other not in order:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], order[other])
        if low[name] == order[name]:
            at = stack.index(name)
            if len(stack) - at > 1:
                found.append(set(stack[at:]))
            del stack[at:]

    for name in sorted(arrows):
        if name not in order:
            visit(name)
    return found


def networks(known: dict[str, Module]) -> tuple[set[str], set[str]]:
    """Classes of networks, and the names that settings have for them, as the files of ``models`` define them."""
    classes, names = set(), set()
    for module in known.values():
        if module.part != "models":
            continue
        for node in module.nodes:
            if not isinstance(node, ast.ClassDef):
                continue
            for line in node.body:
                if not isinstance(line, ast.Assign) or not isinstance(line.targets[0], ast.Name):
                    continue
                if line.targets[0].id == "config_class" and node.name != "CodeModel":
                    classes.add(node.name)
                if line.targets[0].id == "model_type" and isinstance(line.value, ast.Constant):
                    names.add(str(line.value.value).removeprefix("genrec-"))
    return classes, names - {"code-model", "language"}


def naming(known: dict[str, Module]) -> list[str]:
    """Places outside ``models`` that ask for one network: by its class, its folder, or the name of its architecture."""
    classes, names = networks(known)
    groups = {"ARCHITECTURES", "LANGUAGE_ARCHITECTURES"}
    places = []
    for module in known.values():
        if module.part == "models":
            continue
        for node in module.nodes:
            asked = False
            if isinstance(node, ast.Name):
                asked = node.id in classes | groups and isinstance(node.ctx, ast.Load)
            elif isinstance(node, ast.Compare) and "architecture" in ast.unparse(node):
                asked = any(isinstance(one, ast.Constant) and one.value in names for one in ast.walk(node))
            elif isinstance(node, ast.Call):
                given = [word.value for word in node.keywords if word.arg == "architecture"]
                given += node.args[:1] if ast.unparse(node.func) in ("build_model", "find_network") else []
                asked = any(isinstance(one, ast.Constant) and one.value in names for one in given)
            elif isinstance(node, ast.ImportFrom) and node.module:
                asked = node.module.startswith(("genrec.models.recgpt", "genrec.models.llm.base"))
            if asked:
                places.append(f"{module.name}:{node.lineno}")
    return sorted(set(places))


def functions(known: dict[str, Module]) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All functions and methods."""
    for module in known.values():
        for node in module.nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node


def arguments(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Number of parameters, ``self`` and ``cls`` apart."""
    every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return sum(one.arg not in ("self", "cls") for one in every)


def comments(known: dict[str, Module]) -> float:
    """Comments per 100 lines of code (blank lines, docstrings and lines of comments alone apart); no directives."""
    said = code = 0
    for module in known.values():
        lines = {number for number, line in enumerate(module.text.splitlines(), 1) if line.strip()}
        for token in tokenize.generate_tokens(io.StringIO(module.text).readline):
            if token.type == tokenize.COMMENT:
                said += not token.string.startswith(("# type:", "# noqa", "# fmt:"))
                if token.line.strip().startswith("#"):
                    lines.discard(token.start[0])
        for node in module.nodes:
            value = node.value if isinstance(node, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                lines -= set(range(value.lineno, (value.end_lineno or value.lineno) + 1))
        code += len(lines)
    return 100 * said / code


def measure(root: Path) -> dict[str, float]:
    """All figures of a checkout."""
    known = modules(root)
    arrows = {name: imports(module, known) for name, module in known.items()}
    rings = circles(arrows)
    up = [(a, b) for a, ones in arrows.items() for b in ones if known[b].floor > known[a].floor]
    lengths = [len(module.text.splitlines()) for module in known.values()]
    every = list(functions(known))
    sizes = [(node.end_lineno or node.lineno) - node.lineno + 1 for node in every]
    signatures = [arguments(node) for node in every if not any(map(_is_command, node.decorator_list))]
    return {
        "files": len(known),
        "lines": sum(lengths),
        "lines of a module, median": median(lengths),
        "lines of a module, most": max(lengths),
        "lines of a function, median": median(sizes),
        "lines of a function, most": max(sizes),
        "functions of more than 60 lines": sum(size > 60 for size in sizes),
        "import arrows": sum(map(len, arrows.values())),
        "circles of imports, deferred and type-only ones included": len(rings),
        "modules in a circle": sum(map(len, rings)),
        "arrows that run up": len(up),
        "places outside models/ that name a network": len(naming(known)),
        "parameters of a function, mean": round(sum(signatures) / len(signatures), 2),
        "functions of more than 8 parameters, commands apart": sum(count > 8 for count in signatures),
        "comments per 100 lines of code": round(comments(known), 2),
    }


def _is_command(decorator: ast.expr) -> bool:
    """Whether it makes a command line of a function: there every option is a parameter."""
    name = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(name, ast.Name) and name.id in ("guarded", "reads")


def explain(root: Path) -> str:
    """Where the circles, the arrows that run up and the names are."""
    known = modules(root)
    arrows = {name: imports(module, known) for name, module in known.items()}
    up = [f"{a} → {b}" for a, ones in arrows.items() for b in sorted(ones) if known[b].floor > known[a].floor]
    rings = [", ".join(sorted(ring)) for ring in circles(arrows)]
    parts = {"circles": rings, "arrows that run up": up, "places that name a network": naming(known)}
    return "\n".join(f"{title}:\n  " + "\n  ".join(lines or ["none"]) for title, lines in parts.items())


def commit(root: Path) -> str:
    """The commit that a folder holds."""
    done = subprocess.run(["git", "-C", str(root), "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return done.stdout.strip()


def write(before: Path, folder: Path) -> None:
    """The table before and after, as house.json and house.md."""
    then, now = measure(before), measure(ROOT)
    command = f"python scripts/house.py --before CHECKOUT_OF_{commit(before)}"
    rows = [
        {"benchmark": "house", "what": what, "before": then[what], "after": now[what], "command": command}
        for what in now
    ]
    (folder / "house.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    table = "".join(f"| {row['what']} | {row['before']:,} | {row['after']:,} |\n" for row in rows)
    (folder / "house.md").write_text(
        f"# The shape of the package\n\n`{command}`\n\nbefore: {commit(before)}. The circles that are left are the two "
        "composites that `tests/test_layout.py` names: parts made of other parts of their own family.\n\n"
        f"| | before | after |\n|---|---|---|\n{table}",
        encoding="utf-8",
    )


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, help="Another checkout.")
    parser.add_argument("--explain", action="store_true", help="Say where.")
    options = parser.parse_args()
    if options.before is not None:
        write(options.before, ROOT / "scripts" / "results")
    for what, value in measure(ROOT).items():
        print(f"{value:>10,}  {what}")
    if options.explain:
        print(explain(options.before or ROOT))


if __name__ == "__main__":
    main()
