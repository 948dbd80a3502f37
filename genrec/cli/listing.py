"""``genrec list`` and ``genrec config``: what there is by name, and the settings that a name stands for."""

from __future__ import annotations

import inspect
import re
from typing import Annotated, Literal

import typer

from genrec.cli.console import guarded, say, table
from genrec.cli.options import SettingChanges
from genrec.cli.pipeline import Pipeline

Kind = Literal[
    "recipes",
    "presets",
    "prompts",
    "baselines",
    "metrics",
    "networks",
    "objectives",
    "transforms",
    "encoders",
    "quantizers",
]

config = typer.Typer(cls=Pipeline, no_args_is_help=True)


@guarded
def list_(
    kind: Annotated[Kind, typer.Argument(help="Kind of names to list.")],
) -> None:
    """Names that commands and settings take, with a line about each."""
    table([kind, "what it is"], sorted(_described(kind).items()))


@config.callback()
def _settings() -> None:
    """Settings that commands run with."""


@config.command("show")
@guarded
def show(
    preset: Annotated[str, typer.Argument(help="Training or pretraining preset, recipe, or a YAML file.")],
    set_: SettingChanges = None,
) -> None:
    """The whole configuration that a name stands for, every default included."""
    import yaml

    from genrec.assets import asset_names, find_asset
    from genrec.config import Settings, read_yaml
    from genrec.generative.config import load_train_config
    from genrec.index.recipe import load_recipe
    from genrec.training.pretrain_config import load_pretrain_config

    if preset in asset_names("tokenizers", ".yaml"):
        settings: Settings = load_recipe(preset, set_ or ())
    else:
        content = read_yaml(find_asset("presets", preset, ".yaml", "preset"))
        if "quantizer" in content:
            settings = load_recipe(preset, set_ or ())
        elif "domains" in content:
            settings = load_pretrain_config(preset, set_ or ())
        else:
            settings = load_train_config(preset, set_ or ())
    say(yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True).rstrip())


def _described(kind: Kind) -> dict[str, str]:
    """Names of a kind with a line about each."""
    if kind in ("recipes", "presets"):
        return _files("tokenizers" if kind == "recipes" else "presets")
    if kind == "prompts":
        from genrec.prompts.task import load_task, task_names

        return {name: load_task(name).description for name in task_names()}
    if kind == "metrics":
        from genrec.metrics import METRICS

        return {name: _first_line(metric) for name, metric in METRICS.items()}
    return {name: _first_line(cls) for name, cls in _registered(kind).items()}


def _registered(kind: Kind) -> dict[str, object]:
    if kind == "baselines":
        from genrec.baselines.registry import CLASSES

        return dict(CLASSES)
    if kind == "networks":
        from genrec.models import NETWORKS

        return dict(NETWORKS)
    if kind == "encoders":
        from genrec.encoders import ENCODERS

        return dict(ENCODERS)
    if kind == "quantizers":
        from genrec.quantizers import QUANTIZERS

        return dict(QUANTIZERS)
    from genrec.training.objectives import OBJECTIVES
    from genrec.training.transforms import TRANSFORMS

    return dict(OBJECTIVES if kind == "objectives" else TRANSFORMS)


def _files(folder: str) -> dict[str, str]:
    """YAML files with their ``description``, or the first line of comment, and the paper that a comment names."""
    from genrec.assets import asset_dir, asset_names, remark_of
    from genrec.config import read_yaml

    found = {}
    for name in asset_names(folder, ".yaml"):
        path = asset_dir(folder) / f"{name}.yaml"
        text = path.read_text(encoding="utf-8")
        line = str(read_yaml(path).get("description", text.partition("\n")[0].lstrip("# ")))
        source = remark_of(text, "source")
        found[name] = line if source is None else f"{line} [{source}]"
    return found


def _first_line(part: object) -> str:
    """Of a docstring, without the marks that only a page of documentation reads."""
    line = (inspect.getdoc(part) or "").partition("\n")[0]
    return re.sub(r":\w+:`~?([^`]+)`", r"\1", line).replace("``", "")
