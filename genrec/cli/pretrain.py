"""``genrec pretrain``."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Annotated

import typer

from genrec.cli.console import duration, err, guarded, say, summary


@guarded
def pretrain(
    out: Annotated[Path, typer.Option("--out", help="Folder of the pretrained recommender.")],
    domain: Annotated[
        list[str] | None, typer.Option("--domain", help="NAME=ITEMS,INTERACTIONS: one catalogue; several times.")
    ] = None,
    config: Annotated[str, typer.Option("--config", help="Pretraining preset, or a YAML file.")] = "recgpt-pretrain",
    set_: Annotated[list[str] | None, typer.Option("--set", help="Change a setting: key.sub=value.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is at --out.")] = False,
) -> None:
    """Pretrain on many catalogues; the same command again resumes."""
    from genrec.artifacts import require_free
    from genrec.cli.reporter import Reporter
    from genrec.recommender import MANIFEST
    from genrec.training.pretrain import pretrain as fit
    from genrec.training.pretrain import read_domains
    from genrec.training.pretrain_config import load_pretrain_config
    from genrec.training.session import TrainingStoppedError

    settings = load_pretrain_config(config, set_ or ())
    settings = settings.model_copy(update={"domains": (*settings.domains, *map(_domain, domain or ()))})
    if not (out / MANIFEST).is_file():
        require_free(out, overwrite=overwrite)
    domains = read_domains(settings)
    for one in domains:
        say(f"{one.name}: {len(one.catalog):,} items, {len(one.split.train.items):,} training interactions.")
    reporter = Reporter()
    previous = signal.signal(signal.SIGINT, reporter.on_interrupt)
    began = time.monotonic()
    try:
        foundation = fit(domains, settings, out, overwrite=overwrite, callbacks=[reporter], progress=_show)
    except TrainingStoppedError as stopped:
        err.print(f"\n{stopped}")
        raise typer.Exit(130) from None
    finally:
        signal.signal(signal.SIGINT, previous)
    made: dict[str, object] = {
        "pretrained recommender": out,
        "network": f"{foundation.model.num_parameters():,} parameters",
    }
    if foundation.experience is not None:
        tried = len(foundation.experience.trials)
        made["counts"] = f"measured beside the network in {tried} shares of users, for --init (see {out}/README.md)"
    summary(
        {**made, "time": duration(time.monotonic() - began)},
        [
            f"genrec index build items.csv --quantizer {out} --out runs/index",
            f"genrec generate {out} histories.csv --index runs/index --out recs.parquet",
            f"genrec train runs/index interactions.csv --config recgpt-small --init {out} --out runs/tuned",
        ],
    )


def _show(doing: str, done: int, total: int) -> None:
    say(f"{doing} ({done + 1} of {total}) …")


def _domain(text: str) -> object:
    from genrec.config import parse
    from genrec.errors import ConfigError
    from genrec.training.pretrain_config import DomainSettings

    name, equals, paths = text.partition("=")
    items, comma, interactions = paths.partition(",")
    if not (equals and comma and items and interactions):
        raise ConfigError(f"Cannot read the domain '{text}'.", where="--domain", expected="NAME=ITEMS,INTERACTIONS")
    return parse(DomainSettings, {"name": name, "items": items, "interactions": interactions}, where="--domain")
