"""``genrec serve``."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genrec.cli.checks import check_index, check_recommender, check_tables
from genrec.cli.columns import Tables, reads
from genrec.cli.console import duration, err, guarded, say, summary
from genrec.cli.hub import Revision, fetched
from genrec.cli.options import Checkpoints, DecodingChanges, Device
from genrec.cli.reading import tell
from genrec.cli.stopping import on_signals
from genrec.cli.trust import loads_models
from genrec.wording import count

if TYPE_CHECKING:
    from genrec.data.interactions import Interactions
    from genrec.serving.service import Service
    from genrec.serving.settings import ServeSettings
    from genrec.serving.versions import Source

TOKEN = "GENREC_ADMIN_TOKEN"  # noqa: S105 - the name of the variable
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SHORTEST = 16

Models = Annotated[list[str], typer.Argument(help="Folders of recommenders or name/repo of the hub, or NAME=FOLDER.")]
Host = Annotated[str, typer.Option("--host", help="Address to listen at; others than this machine's own are open.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0: any free one.")]
Logs = Annotated[
    list[str] | None,
    typer.Option("--histories", help="Table with user_id, item_id, timestamp; NAME=TABLE for one model."),
]
Indexes = Annotated[
    list[str] | None,
    typer.Option("--index", help="Index that may grow, to use instead of the saved one; NAME=FOLDER for one model."),
]
Parts = Annotated[
    list[str] | None,
    typer.Option("--part", help="Named part of the catalogue, NAME:CONDITION; several of a name must all hold."),
]
Limits = Annotated[
    list[str] | None, typer.Option("--limit", help="Setting of the service to change: key=value, such as max_k=50.")
]
TokenFile = Annotated[
    Path | None,
    typer.Option("--token-file", help=f"File with the administrators' token (default: the variable {TOKEN})."),
]
AllowedHosts = Annotated[
    list[str] | None, typer.Option("--allowed-host", help="Further name under which the service may be asked for.")
]
Origins = Annotated[
    list[str] | None, typer.Option("--cors-origin", help="Site whose pages may ask, such as https://shop.example.")
]
Threads = Annotated[int | None, typer.Option("--threads", min=1, max=1024, help="Cores for one batch.")]


@guarded
@loads_models
@reads("interactions")
def serve(
    models: Models,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    histories: Logs = None,
    index: Indexes = None,
    part: Parts = None,
    set_: DecodingChanges = None,
    limit: Limits = None,
    token_file: TokenFile = None,
    allowed_host: AllowedHosts = None,
    cors_origin: Origins = None,
    threads: Threads = None,
    device: Device = None,
    checkpoint: Checkpoints = None,
    revision: Revision = None,
    *,
    tables: Tables,
) -> None:
    """Answer requests over HTTP until a signal comes."""
    folders = _named(models, revision)
    indexes, logs = _each(index, folders, "--index"), _each(histories, folders, "--histories")
    parts = _parts(part)
    for name, folder in folders.items():
        check_recommender(folder, set_ or ())
        if (place := indexes.get(name, indexes.get(None))) is not None:
            check_index(Path(place))
    check_tables(*(Path(path) for path in logs.values()))
    settings = _settings(limit)
    token = _token(token_file)
    _require_extra()
    from genrec.serving.server import LOOPBACK, is_loopback, open_socket

    sock = open_socket(host, port)
    from genrec.serving import build_app
    from genrec.serving.server import serve as run

    began = time.monotonic()
    how = {"device": device, "changes": tuple(set_ or ()), "parts": parts}
    sources = _sources(folders, indexes, checkpoint or (), **how)
    service = _loaded(sources, settings, _read(logs, folders, tables), token, threads)
    local = is_loopback(host)
    hosts = [*LOOPBACK, *(allowed_host or ())] if local or allowed_host else None
    app = build_app(service, hosts=hosts, origins=cors_origin or ())
    bound = sock.getsockname()
    address = f"http://{f'[{bound[0]}]' if ':' in bound[0] else bound[0]}:{bound[1]}"
    run(app, sock, settings, on_signals, lambda: _show(service, address, time.monotonic() - began, local))
    say("Stopped; requests in flight were answered.")


def _sources(
    folders: Mapping[str, Path], indexes: Mapping[str | None, str], checkpoints: Sequence[str], **how: Any
) -> dict[str, Source]:
    """What is served under every name, and with which index; what only a search has is for those that search.

    Raises:
        ConfigError: Something that only a search has is asked for, and all of them are baselines.
    """
    from genrec.errors import ConfigError
    from genrec.loading import moved_checkpoint, saved_kind
    from genrec.serving import Source
    from genrec.trust import trusts_remote_code

    searched = {name for name, folder in folders.items() if saved_kind(folder) != "baseline"}
    if not searched and (how["changes"] or how["parts"] or None in indexes):
        raise ConfigError(
            "A baseline has no index, no decoding settings and no parts.",
            where=", ".join(str(folder) for folder in folders.values()),
            hint="Leave --index, --set and --part out.",
        )
    plain = {**how, "changes": (), "parts": {}}
    return {
        name: Source(
            folder,
            index=_path(indexes.get(name, indexes.get(None) if name in searched else None)),
            checkpoint=moved_checkpoint(folder, checkpoints),
            trust_remote_code=trusts_remote_code(),
            **(how if name in searched else plain),
        )
        for name, folder in folders.items()
    }


def _loaded(
    sources: Mapping[str, Source],
    settings: ServeSettings,
    tables: Mapping[str | None, Interactions],
    token: str | None,
    threads: int | None,
) -> Service:
    from genrec.serving import Service

    return Service(sources, settings, tables=tables, token=token, threads=threads)


def _show(service: Service, address: str, seconds: float, local: bool) -> None:
    made: dict[str, object] = {}
    for name, model in service.models.items():
        described = model.described()
        users = f", {count(described['users'], 'user')}" if described["users"] else ""
        made[name] = f"{count(described['items'], 'item')}{users}, version {described['index_version']}"
    made["address"] = f"{address} (ready after {duration(seconds)}; {address}/docs)"
    made["admin"] = "POST /admin/reload, /admin/rollback" if service.token else f"off ({TOKEN} or --token-file)"
    summary(made)
    if not local:
        err.print("Everybody who reaches this address can ask. Put a proxy with TLS and passwords in front of it.")


def _require_extra() -> None:
    """Refuse at once where the packages are missing."""
    from importlib.util import find_spec

    from genrec.errors import MissingExtraError

    for package, name in (("fastapi", "fastapi"), ("uvicorn", "uvicorn"), ("prometheus_client", "prometheus-client")):
        if find_spec(package) is None:
            raise MissingExtraError(name, "serve")


def _named(models: Iterable[str], revision: str | None = None) -> dict[str, Path]:
    """Folders by the names of their models; those of the hub are fetched.

    Raises:
        ConfigError: A name is none, or is given twice; or a revision of a folder.
        ArtifactError: The hub cannot be reached, or does not have it.
    """
    from genrec.errors import ConfigError

    found: dict[str, str] = {}
    for text in models:
        name, equals, folder = text.partition("=")
        if not equals or Path(text).exists():
            name, folder = Path(text).resolve().name, text
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"'{name}' is no name of a model.", where=text, expected="NAME=FOLDER with letters, digits, . _ -"
            )
        if name in found:
            raise ConfigError(f"Two models have the name '{name}'.", where=text, hint=f"Say other-name={folder}.")
        found[name] = folder
    return dict(zip(found, fetched(list(found.values()), "recommender", revision), strict=True))


def _each(texts: Iterable[str] | None, models: Mapping[str, Path], option: str) -> dict[str | None, str]:
    """Paths by the names of models; under None that of all others.

    Raises:
        ConfigError: Two paths for one model.
    """
    from genrec.errors import ConfigError

    found: dict[str | None, str] = {}
    for text in texts or ():
        name, equals, path = text.partition("=")
        key, value = (name, path) if equals and name in models else (None, text)
        if key in found:
            raise ConfigError(f"{option} is given twice for one model.", where=text, expected="NAME=PATH for each")
        found[key] = value
    return found


def _settings(changes: Iterable[str] | None) -> ServeSettings:
    from genrec.config import apply_overrides, parse
    from genrec.serving.settings import ServeSettings

    return parse(ServeSettings, apply_overrides(ServeSettings().model_dump(), changes or ()), where="--limit")


def _parts(texts: Iterable[str] | None) -> dict[str, tuple[str, ...]]:
    """Conditions of every named part.

    Raises:
        ConfigError: One has no name or no condition.
    """
    from genrec.errors import ConfigError

    found: dict[str, tuple[str, ...]] = {}
    for text in texts or ():
        name, _, condition = (word.strip() for word in text.partition(":"))
        if not name or not condition:
            raise ConfigError(f"Cannot read the part '{text}'.", where="--part", expected="such as cheap:price<=20")
        found[name] = (*found.get(name, ()), condition)
    return found


def _token(path: Path | None) -> str | None:
    """The administrators' token; None: there is none.

    Raises:
        ConfigError: The file cannot be read, or the token is easily guessed.
    """
    from genrec.errors import ConfigError

    where: object = TOKEN if path is None else path
    try:
        token = os.environ.get(TOKEN) if path is None else path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The token cannot be read: {error}.", where=where) from None
    if not token:
        return None
    if len(token) < _SHORTEST or not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigError(
            "This token is too easily guessed.",
            where=where,
            expected=f"at least {_SHORTEST} letters and digits",
            hint="python -c 'import secrets; print(secrets.token_urlsafe())' makes one.",
        )
    return token


def _read(
    logs: Mapping[str | None, str], folders: Mapping[str, Path], tables: Tables
) -> dict[str | None, Interactions]:
    """Tables of histories by the names of models."""
    from genrec.loading import saved_columns

    found: dict[str | None, Interactions] = {}
    for name, text in logs.items():
        folder = folders[name] if name is not None else next(iter(folders.values()))
        remembering = tables.remembering(saved_columns(folder), saved_columns(folder / "index"))
        found[name] = table = remembering.interactions(Path(text))
        tell([table.report], remembering.check_options(), folder, Path(text))
    return found


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
