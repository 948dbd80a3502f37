"""The ``genrec`` command."""

from __future__ import annotations

from typing import Annotated

import typer

from genrec.cli import audit, baseline, bench, data, demo, evaluate, generate, index, listing, pretrain, serve, train

app = typer.Typer(
    help="Generative recommendation: semantic-ID index, language-model recommender, real items out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(data.app, name="data", help="Look at tables, and make them from public raw dumps.")
app.command("audit", help="Which shortcuts would solve a dataset, and is its split clean?")(audit.audit)
app.add_typer(index.app, name="index", help="Build, show and grow a semantic-ID index.")
app.command("pretrain", help="Pretrain on many catalogues; recommends from ones it has never seen.")(pretrain.pretrain)
app.command("train", help="Train a recommender on an index; the same command again resumes.")(train.train)
app.command("baseline", help="Fit one of the baselines, with settings chosen on validation.")(baseline.baseline)
app.command("generate", help="Recommend for many users, into a table.")(generate.generate)
app.command("serve", help="Recommend over HTTP.")(serve.serve)
app.command("evaluate", help="Measure recommenders beside honest baselines.")(evaluate.evaluate)
app.add_typer(bench.app, name="bench", help="Measure decoding: speed, and what beam width costs.")
app.command("list", help="Names of recipes, presets, prompts and other parts, with a line each.")(listing.list_)
app.add_typer(listing.config, name="config", help="Show the settings that a name stands for.")
app.command("demo", help="The whole job on embedded data, in minutes.")(demo.demo)


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
    """Entry point of the console script."""
    app()
