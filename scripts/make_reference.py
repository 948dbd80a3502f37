"""Writes docs/reference/: every setting from the pydantic models, every command from the command line itself.

python scripts/make_reference.py          writes the pages
python scripts/make_reference.py --check  says which differ, for the tests
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

DOCS = Path(__file__).resolve().parent.parent / "docs" / "reference"


def type_name(annotation: Any) -> str:
    """A type as a person would write it."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if annotation is None or annotation is type(None):
        return "null"
    if str(origin) == "typing.Literal":
        return ", ".join(f"`{part}`" for part in parts)
    if origin is None:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            return "mapping"
        names = {"str": "text", "int": "integer", "float": "number", "bool": "true or false", "Any": "anything"}
        names["Path"] = "path"
        name = getattr(annotation, "__name__", str(annotation))
        return names.get(name, name)
    if origin in (dict,):
        return "mapping"
    if origin in (tuple, list):
        inner = [part for part in parts if part is not Ellipsis]
        return "list of " + " or ".join(dict.fromkeys(type_name(part) for part in inner))
    if origin.__name__ in ("Union", "UnionType"):
        return " or ".join(type_name(part) for part in parts)
    if origin.__name__ == "Annotated":
        return type_name(parts[0])
    return getattr(origin, "__name__", str(origin))


def bounds(field: Any) -> str:
    """Limits of a number, such as ``at least 1``."""
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    found = [
        f"{words[name]} {value:g}"
        for item in field.metadata
        for name in words
        if (value := getattr(item, name, None)) is not None
    ]
    return f" ({', '.join(found)})" if found else ""


def default_of(field: Any) -> str:
    """The default as YAML shows it; what has parts of its own has a section of its own."""
    if field.default is PydanticUndefined and field.default_factory is None:
        return "must be given"
    value = field.default if field.default is not PydanticUndefined else field.default_factory()
    if isinstance(value, BaseModel):
        return "see below"
    if isinstance(value, tuple | list):
        value = [
            one.model_dump(mode="json", exclude_unset=True) if isinstance(one, BaseModel) else one for one in value
        ]
    names = {None: "null", True: "true", False: "false"}
    return f"`{names[value] if value is None or isinstance(value, bool) else value}`"


def parts_of(model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    """Settings inside settings, by key."""
    for name, field in model.model_fields.items():
        for part in (field.annotation, *get_args(field.annotation)):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield name, part


def table(model: type[BaseModel]) -> str:
    """Every key of a model."""
    lines = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        meaning = (field.description or "").replace("|", "\\|")
        if name == "name" and not meaning:
            meaning = "which one"
        lines.append(f"| `{name}` | {type_name(field.annotation)}{bounds(field)} | {default_of(field)} | {meaning} |")
    return "\n".join(lines) + "\n"


def section(title: str, model: type[BaseModel], level: int = 2) -> str:
    """A model and the models inside it."""
    text = f"{'#' * level} {title}\n\n{table(model)}\n"
    seen: set[type[BaseModel]] = set()
    for name, part in parts_of(model):
        if part not in seen:
            seen.add(part)
            text += section(
                f"{title.split(' ')[0]} → `{name}`" if level == 2 else f"{title} → `{name}`", part, level + 1
            )
    return text


def settings_page() -> str:
    """All settings of recipes, presets, decoding and baselines."""
    from genrec.baselines.registry import CLASSES
    from genrec.decoding.options import DecodingOptions
    from genrec.disambiguation import RULES
    from genrec.encoders import ENCODERS
    from genrec.generative.config import TrainConfig
    from genrec.index.recipe import TokenizerRecipe
    from genrec.quantizers import QUANTIZERS
    from genrec.serving.settings import ServeSettings
    from genrec.training.objectives import OBJECTIVES
    from genrec.training.pretrain_config import PretrainConfig
    from genrec.training.transforms import TRANSFORMS

    text = (
        "# Settings reference\n\nThis page is made from the settings themselves "
        "(`python scripts/make_reference.py`). Unknown keys are refused by name. Any key can be changed on the command "
        "line: `--set model.dropout=0.3`.\n\n"
    )
    text += section("Training preset", TrainConfig) + section("Pretraining preset", PretrainConfig)
    text += networks() + "## Objectives\n\n"
    for name, objective in OBJECTIVES.items():
        text += f"### {name}\n\n{first_line(objective)}\n\n"
        model = objective.Config
        parts = "".join(section(f"{name} → `{part}`", inner, 4) for part, inner in parts_of(model))
        text += f"{table(model)}\n{parts}" if model.model_fields else "No settings.\n\n"
    text += "## Transforms\n\nWhat is done to training histories: entries of `transforms`.\n\n"
    for name, transform in TRANSFORMS.items():
        text += f"### {name}\n\n{first_line(transform)}\n\n{table(transform.Config)}\n"
    text += section("Decoding", DecodingOptions) + section("Recipe of an item tokenizer", TokenizerRecipe)
    text += section("Service", ServeSettings)
    for title, family in (("Item encoders", ENCODERS), ("Quantizers", QUANTIZERS), ("Disambiguation rules", RULES)):
        text += f"## {title}\n\n"
        for name, cls in family.items():
            model = getattr(cls, "settings_type", None)
            if model is not None:
                text += f"### {name}\n\n{first_line(cls)}\n\n{table(model)}\n"
    text += "## Baselines\n\n"
    for name, baseline in CLASSES.items():
        text += f"### {name}\n\n{first_line(baseline)}\n\n"
        text += table(baseline.Config) + "\n" if baseline.Config.model_fields else "No settings.\n\n"
    return text.rstrip() + "\n"


def networks() -> str:
    """The options of every network: what its configuration has beside what all share or the index decides."""
    from genrec.models import NETWORKS, find_network
    from genrec.models.config import CodeModelConfig

    text = "## Networks\n\nWhat `model.options` of an `architecture` may hold.\n\n"
    for name in NETWORKS:
        network = find_network(name)
        kind = network.config_class
        hidden = kind.derived | CodeModelConfig.known_fields()
        kinds, meanings = {}, {}
        for one in reversed(kind.__mro__):
            if issubclass(one, CodeModelConfig):
                kinds |= inspect.get_annotations(one, eval_str=True)
                meanings |= attributes(one)
        text += f"### {name}\n\n{first_line(network)}\n\n"
        rows = [(field, FieldInfo.from_annotated_attribute(kinds[field], getattr(kind, field))) for field in kinds]
        lines = [
            f"| `{field}` | {type_name(info.annotation)}{bounds(info)} | {default_of(info)} | {meanings[field]} |"
            for field, info in rows
            if field not in hidden
        ]
        head = ["| option | type | default | meaning |", "|---|---|---|---|"]
        text += "\n".join([*head, *lines]) + "\n\n" if lines else "No options.\n\n"
    return text


def attributes(cls: type) -> dict[str, str]:
    """Meanings by name, from the section ``Attributes`` of a class's documentation."""
    found: dict[str, str] = {}
    name = ""
    for line in (inspect.getdoc(cls) or "").partition("Attributes:\n")[2].splitlines():
        if line.startswith("    ") and not line.startswith("     "):
            name, _, text = line.strip().partition(": ")
            found[name] = text
        elif name and line.strip():
            found[name] += f" {line.strip()}"
    return {field: plain(text).rstrip(".") for field, text in found.items()}


def first_line(cls: type) -> str:
    """The first sentence of a class's documentation, without markup."""
    return plain((cls.__doc__ or "").strip().split("\n\n")[0].replace("\n", " "))


def plain(text: str) -> str:
    """Documentation without markup."""
    text = re.sub(r":\w+:`~(?:[\w]+\.)*(\w+)`", r"`\1`", text)
    text = re.sub(r":\w+:(?=`)", "", text)
    return " ".join(text.replace("``", "`").split())


def commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every command below one, depth first."""
    known = getattr(command, "commands", {})
    for name in command.list_commands(None) if known else ():
        sub = known[name]
        yield f"{path} {name}", sub
        yield from commands(sub, f"{path} {name}")


def cli_page() -> str:
    """All commands with their arguments and options."""
    from genrec.cli.main import app

    root = typer.main.get_command(app)
    text = (
        "# CLI reference\n\nThis page is made from the command line itself (`python scripts/make_reference.py`); "
        "`genrec VERB --help` says the same.\n\n"
    )
    for path, command in commands(root, "genrec"):
        if getattr(command, "commands", None):
            text += f"## {path}\n\n{(command.help or '').strip()}\n\n"
            continue
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
        usage = " ".join(
            [
                path,
                *(argument_name(one) + ("…" if one.nargs != 1 else "") for one in arguments),
                "[OPTIONS]",
            ]
        )
        text += f"### {path}\n\n{(command.help or '').strip()}\n\n```text\n{usage}\n```\n\n"
        if arguments:
            text += "| argument | meaning |\n|---|---|\n"
            text += "".join(f"| `{argument_name(one)}` | {cell(one.help)} |\n" for one in arguments) + "\n"
        if options:
            text += "| option | default | meaning |\n|---|---|---|\n"
            for one in options:
                names = ", ".join(f"`{name}`" for name in (*one.opts, *one.secondary_opts))
                shown = "must be given" if one.required else default_text(one)
                text += f"| {names} | {shown} | {cell(one.help)} |\n"
            text += "\n"
    return text.rstrip() + "\n"


def help_of(command: Any) -> str:
    """What a command does."""
    return (command.help or "").strip()


def argument_name(argument: Any) -> str:
    """How usage lines call an argument."""
    return str(argument.metavar or argument.name).upper()


def cell(text: str | None) -> str:
    """Text that stands in a table."""
    return (text or "").replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def default_text(option: Any) -> str:
    """What an option is when it is not given."""
    value = option.default
    if value is None or value == () or callable(value) or value is False or "UNSET" in str(value).upper():
        return ""
    return "on" if value is True else f"`{value}`"


PAGES = {"settings.md": settings_page, "cli.md": cli_page}


def main() -> None:
    """Write the pages, or say which differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    DOCS.mkdir(parents=True, exist_ok=True)
    differ = []
    for name, make in PAGES.items():
        path, text = DOCS / name, make()
        if check:
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                differ.append(name)
        else:
            path.write_text(text, encoding="utf-8")
    if differ:
        sys.exit(f"out of date: {', '.join(differ)}; run python scripts/make_reference.py")


if __name__ == "__main__":
    main()
