"""Options and arguments that several commands share: one name, one meaning, one help text that begins with its noun."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genrec.schema import LARGEST_SEED

ItemsTable = Annotated[Path, typer.Argument(help="Table of items: item_id and text fields.")]
EventsTable = Annotated[Path, typer.Argument(help="Table of interactions: user_id, item_id, timestamp.")]
IndexFolder = Annotated[Path, typer.Argument(help="Folder of the semantic index, or name/repo of the hub.")]
ModelFolder = Annotated[Path, typer.Argument(help="Folder of the recommender, or name/repo of the hub.")]

AsJson = Annotated[bool, typer.Option("--json", help="JSON for programs in place of text.")]
Beams = Annotated[int | None, typer.Option("--beams", min=1, help="Hypotheses a user (default: as trained).")]
Checkpoints = Annotated[
    list[str] | None,
    typer.Option("--checkpoint", help="New place of the language model under an adapter, if it has moved."),
]
DecodingChanges = Annotated[
    list[str] | None, typer.Option("--set", help="Decoding setting to change: key=value, such as prior=null.")
]
Device = Annotated[str | None, typer.Option("--device", help="Device, such as cuda or cpu.")]
HoldOut = Annotated[int, typer.Option("--hold-out", min=0, help="Newest items of a history that no model sees.")]
ExcludeSeen = Annotated[
    bool,
    typer.Option("--exclude-seen/--include-seen", help="Items of the history: never recommended, or allowed."),
]
GrownIndex = Annotated[
    Path | None, typer.Option("--index", help="Index in place of the saved one: a grown one, or another catalogue's.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Permission to replace what is at --out.")]
Seed = Annotated[int, typer.Option("--seed", min=0, max=LARGEST_SEED, help="Seed of everything random.")]
SettingChanges = Annotated[list[str] | None, typer.Option("--set", help="Setting to change: key.sub=value.")]
