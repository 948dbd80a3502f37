"""``genrec pretrain``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrec.cli.checks import check_tables
from genrec.cli.columns import Tables, column_options, reads
from genrec.cli.console import duration, guarded, say, summary
from genrec.cli.options import Overwrite, SettingChanges
from genrec.cli.outputs import claim
from genrec.cli.reading import free_path, shell_command, tell
from genrec.cli.stoppable import stoppable
from genrec.cli.trust import loads_models
from genrec.wording import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genrec.training.pretrain_config import DomainSettings


@guarded
@loads_models
@reads("domains", "split")
def pretrain(
    out: Annotated[Path, typer.Option("--out", help="Folder of the pretrained recommender.")],
    domain: Annotated[
        list[str] | None, typer.Option("--domain", help="Catalogue as NAME=ITEMS,INTERACTIONS; several times.")
    ] = None,
    config: Annotated[str, typer.Option("--config", help="Pretraining preset, or a YAML file.")] = "recgpt-pretrain",
    set_: SettingChanges = None,
    overwrite: Overwrite = False,
    *,
    tables: Tables,
) -> None:
    """Pretrain on many catalogues; the same command again resumes."""
    from genrec.index.recipe import load_recipe
    from genrec.models import check_network
    from genrec.recommender import MANIFEST
    from genrec.training.domains import read_domains
    from genrec.training.pretrain_config import load_pretrain_config

    settings = load_pretrain_config(config, set_ or ())
    named = _named((*settings.domains, *map(_domain, domain or ())), tables)
    settings = settings.model_copy(update={"domains": named, "split": tables.choose_split(settings.split)})
    check_network(settings.model.architecture)
    load_recipe(settings.tokenizer, settings.tokenizer_settings)
    check_tables(*(path for one in named for path in (one.items, one.interactions)))
    claim(out, overwrite=overwrite, resumes=MANIFEST, makes="pretrained")
    domains = read_domains(settings, **tables.how)
    for one, source in zip(domains, named, strict=True):
        tell([one.report], _options(source, tables), source.items, source.interactions)
        training = count(len(one.split.train.items), "training interaction")
        say(f"{one.name}: {count(len(one.catalog), 'item')}, {training}.")

    from genrec.training.pretrain import pretrain as fit

    began = time.monotonic()
    with stoppable() as reporter:
        foundation = fit(domains, settings, out, overwrite=overwrite, callbacks=[reporter], progress=_show)
    made: dict[str, object] = {
        "pretrained recommender": out,
        "network": f"{count(foundation.model.num_parameters(), 'parameter')}",
    }
    if foundation.experience is not None:
        tried = len(foundation.experience.trials)
        made["counts"] = (
            f"measured beside the network in {count(tried, 'share')} of users, for genrec train --init "
            f"(see {out}/README.md)"
        )
    summary(
        {**made, "time": duration(time.monotonic() - began)},
        _then(out, named[0], tables),
    )


def _named(domains: Sequence[DomainSettings], tables: Tables) -> tuple[DomainSettings, ...]:
    """Domains with the names of columns that the options say."""
    names = [one.name for one in domains]
    return tuple(
        one.model_copy(update={"columns": tables.of_domain(one.name, names).over(one.columns)}) for one in domains
    )


def _options(domain: DomainSettings, tables: Tables) -> list[str]:
    """What other commands need to read the tables of a domain."""
    return [*column_options(domain.columns.model_dump(exclude_none=True)), *tables.how_options(items=True)]


def _then(out: Path, domain: DomainSettings, tables: Tables) -> list[str]:
    """What to run next, as it stands on the first catalogue, and in the same way on any other."""
    index, tuned, recs = free_path("runs/index"), free_path("runs/tuned"), free_path(f"{out}-recs.parquet")
    options, events = _options(domain, tables), domain.interactions
    split = tables.split_options()
    build = ("index", "build", domain.items, "--interactions", events, *options, *split)
    return [
        shell_command(*build, "--quantizer", out, "--out", index),
        shell_command("generate", out, events, *tables.how_options(), "--index", index, "--out", recs),
        shell_command(
            "train", index, events, *tables.how_options(), "--config", "recgpt-small", "--init", out, "--out", tuned
        ),
    ]


def _show(doing: str, done: int, total: int) -> None:
    say(f"{doing} ({done + 1} of {total}) …")


def _domain(text: str) -> DomainSettings:
    from genrec.config import parse
    from genrec.errors import ConfigError
    from genrec.training.pretrain_config import DomainSettings

    name, equals, paths = text.partition("=")
    items, comma, interactions = paths.partition(",")
    if not (equals and comma and items and interactions):
        raise ConfigError(f"Cannot read the domain '{text}'.", where="--domain", expected="NAME=ITEMS,INTERACTIONS")
    return parse(DomainSettings, {"name": name, "items": items, "interactions": interactions}, where="--domain")
