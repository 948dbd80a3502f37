"""The ``genrec`` command."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated

import typer

from genrec.cli.console import show_error
from genrec.cli.failures import explained
from genrec.cli.pipeline import Pipeline
from genrec.cli.several import Several
from genrec.importing import collect_seldom

VERBS = (
    ("Look at data", "data", "data:app", "Look at tables, and make them from public raw dumps."),
    ("Look at data", "audit", "audit:audit", "Find shortcuts that would solve a dataset, and leaks of its split."),
    ("Build an index", "index", "index:app", "Build, show, compare and grow semantic-ID indexes."),
    ("Train", "pretrain", "pretrain:pretrain", "Pretrain on many catalogues, for ones it has never seen."),
    ("Train", "train", "train:train", "Train a recommender on an index; the same command again resumes."),
    ("Train", "baseline", "baseline:baseline", "Fit one of the baselines, with settings chosen on validation."),
    ("Recommend", "generate", "generate:generate", "Recommend for many users, into a table or a folder of shards."),
    ("Recommend", "serve", "serve:serve", "Recommend over HTTP."),
    ("Recommend", "page", "page:page", "Look at recommendations and why, in one HTML file."),
    ("Measure", "evaluate", "evaluate:evaluate", "Measure recommenders beside honest baselines."),
    ("Measure", "concepts", "concepts:concepts", "Look for named directions in the states of a network."),
    ("Measure", "bench", "bench:app", "Measure decoding: speed, and what beam width costs."),
    ("Look things up", "list", "listing:list_", "List recipes, presets, prompts and other parts by name."),
    ("Look things up", "config", "listing:config", "Show the settings that a name stands for."),
    ("See it all", "demo", "demo:demo", "Run the whole job on embedded data, in minutes."),
)
"""Section, name, ``module:object`` under ``genrec.cli``, and help of every verb, in the order of the work."""


class Genrec(Pipeline):
    """The verbs of :data:`VERBS`."""

    order = tuple(name for _, name, _, _ in VERBS)


app = typer.Typer(
    cls=Genrec,
    help="Generative recommendation: semantic-ID index, language-model recommender, real items out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _section, _name, _place, _help in VERBS:
    _module, _, _what = _place.partition(":")
    _verb = getattr(import_module(f"genrec.cli.{_module}"), _what)
    if isinstance(_verb, typer.Typer):
        app.add_typer(_verb, name=_name, help=_help, rich_help_panel=_section)
    else:
        app.command(_name, cls=Several, help=_help, rich_help_panel=_section)(_verb)


def _version(value: bool) -> None:
    if value:
        from genrec import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", callback=_version)] = False,
) -> None:
    """Options of every command."""


def main() -> None:
    """Run the command that was typed; :mod:`genrec.__main__` is where the console script begins."""
    collect_seldom()
    try:
        app()
    except OSError as error:  # of --help and --version: commands explain their own
        if (message := explained(error)) is None:
            raise
        show_error(message)
        raise SystemExit(1) from None
