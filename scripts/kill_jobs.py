"""The commands that scripts/kill_test.py kills, on a small demo shop, and how to see whether their results are whole.

Every command runs in a folder of its own with the same relative paths, so that equal results have equal bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genrec.artifacts import mend

ITEMS, USERS, NEW_ITEMS = 120, 160, 12
INDEX = (
    "--set",
    "encoder.encoders.0.dim=24",
    "--set",
    "encoder.encoders.1.dim=8",
    "--set",
    "quantizer.codebook_size=8",
)
TRAINING = [
    "model.backbone.hidden_size=32",
    "model.backbone.intermediate_size=64",
    "model.backbone.num_hidden_layers=1",
    "model.backbone.num_attention_heads=2",
    "model.backbone.num_key_value_heads=2",
    "model.backbone.head_dim=16",
    "model.max_items=8",
    "validation.users=60",
    "trainer.per_device_train_batch_size=16",
    "trainer.warmup_steps=2",
]
BEAMS = ("validation.beams=5", "generation.beams=10", "trainer.num_train_epochs=3")
TOKENIZER = """
encoder: {name: precomputed, path: base/vectors.parquet}
quantizer: {name: fsq, slots: 4, levels: [4, 4], encoder: split, epochs: 20}
disambiguation: {name: suffix}
"""
_VOLATILE = re.compile(
    r'"(?:[a-z_]*seconds[a-z_]*|total_flos|users_per_second|\w*_per_second|\w*_runtime|time|ms)": [-0-9.e+]+'
)
"""Clock readings; everything else of a result must be equal."""


@dataclass(frozen=True)
class Job:
    """A command that writes.

    Attributes:
        verb: Its name.
        words: The command; ``OUT`` is made or replaced.
        kind: What ``out`` is: ``index``, ``recommender``, ``table``, ``shards`` or ``report``.
        out: Its name.
        old: What is at ``out`` before, of the prepared ones; None: nothing.
        resumes: Names beside ``out`` that may stay after a stop that was asked for.
        weight: How often it is drawn.
    """

    verb: str
    words: tuple[str, ...]
    kind: str
    out: str = "out"
    old: str | None = None
    resumes: tuple[str, ...] = ()
    weight: float = 1.0

    @property
    def name(self) -> str:
        """For the table."""
        more = " --workers 2" if "--workers" in self.words else ""
        return f"{self.verb}{more}{', over an old one' if self.old else ''}"


def settings(*changes: str) -> tuple[str, ...]:
    """``--set`` options."""
    return tuple(word for change in changes for word in ("--set", change))


def jobs() -> list[Job]:
    """The seven verbs that write, fresh and in the place of something older."""
    tables = ("base/items.jsonl", "base/interactions.csv")
    build = ("index", "build", tables[0], "--interactions", tables[1], "--tokenizer", "demo", *INDEX)
    train = ("train", "base/index", tables[1], "--config", "item-decoder-small", *settings(*TRAINING, *BEAMS))
    domains = ("--domain", f"a={tables[0]},{tables[1]}", "--domain", f"b={tables[0]},base/others.csv")
    small = (*TRAINING, "tokenizer=base/tokenizer.yaml", "trainer.save_steps=4", "validate_generated=true")
    pretrain = ("pretrain", *domains, *settings(*small, "prior_shares=[1.0]"))
    baseline = ("baseline", "transition-counts", *tables)
    generate = ("generate", "base/model", tables[1], "--k", "5")
    shards = (*generate, "--shard-users", "20", "--batch-users", "8", "--out", "out")
    evaluate = ("evaluate", "base/model", tables[1], "--users", "60")
    training = ("out.training",)
    over = "--overwrite"
    return [
        Job("index build", (*build, "--out", "out"), "index"),
        Job("index build", (*build, "--out", "out", over), "index", old="index-old"),
        Job("index add", ("index", "add", "out", "base/new.jsonl"), "index", old="index", weight=2),
        Job("train", (*train, "--out", "out"), "recommender", resumes=training),
        Job("train", (*train, "--out", "out", over), "recommender", old="model-old", resumes=training),
        Job("pretrain", (*pretrain, "--out", "out"), "recommender", resumes=training),
        Job("pretrain", (*pretrain, "--out", "out", over), "recommender", old="pretrained-old", resumes=training),
        Job("baseline", (*baseline, "--out", "out"), "recommender"),
        Job("baseline", (*baseline, "--out", "out", over), "recommender", old="baseline-old"),
        Job("generate", (*generate, "--out", "out.parquet"), "table", "out.parquet"),
        Job("generate", (*generate, "--out", "out.parquet", over), "table", "out.parquet", old="recs-old.parquet"),
        Job("generate --shard-users", shards, "shards", resumes=("out",), weight=2),
        Job("generate --shard-users", (*shards, "--workers", "2"), "shards", resumes=("out",), weight=0.7),
        Job("evaluate", (*evaluate, "--out", "out"), "report"),
        Job("evaluate", (*evaluate, "--out", "out", over), "report", old="report-old"),
    ]  # fmt: skip


def prepare(folder: Path, genrec: Callable[[Path, tuple[str, ...]], None]) -> None:
    """Make ``base/``: tables, an index, a recommender, and older ones of every kind: only the same kind is replaced.

    Args:
        folder: Where.
        genrec: Runs a command in a folder; an error ends everything.
    """
    by_verb = {job.verb: job for job in jobs() if job.old is None}
    base = folder / "base"
    build, train, pretrain = (by_verb[verb].words[:-2] for verb in ("index build", "train", "pretrain"))
    genrec(folder, (*build, "--out", "base/index"))
    genrec(folder, (*build, "--set", "seed=1", "--out", "base/index-old"))
    genrec(folder, (*train, "--out", "base/model"))
    genrec(folder, (*train, "--set", "seed=1", "--set", "trainer.num_train_epochs=1", "--out", "base/model-old"))
    genrec(folder, (*pretrain, "--set", "seed=1", "--out", "base/pretrained-old"))
    genrec(folder, ("baseline", "popularity", *by_verb["baseline"].words[2:4], "--out", "base/baseline-old"))
    genrec(folder, ("generate", "base/model", "base/interactions.csv", "--k", "3", "--out", "base/recs-old.parquet"))
    genrec(folder, ("evaluate", "base/model-old", "base/interactions.csv", "--users", "9", "--out", "base/report-old"))
    assert (base / "report-old").is_dir()


def write_tables(base: Path, seed: int) -> None:
    """The demo shop, small: items, interactions, new items, and vectors."""
    import polars as pl

    from genrec.data.shop import make_shop

    items, interactions = make_shop(n_items=ITEMS + NEW_ITEMS, n_users=USERS, seed=seed)
    base.mkdir(parents=True)
    items[:ITEMS].write_ndjson(base / "items.jsonl")
    items[ITEMS:].write_ndjson(base / "new.jsonl")
    known = interactions.filter(pl.col("item_id").is_in(items["item_id"][:ITEMS].implode()))
    known.write_csv(base / "interactions.csv")
    users = known["user_id"].unique(maintain_order=True)
    known.filter(pl.col("user_id").is_in(users[: len(users) // 2].implode())).write_csv(base / "others.csv")
    vectors = np.random.default_rng(seed).normal(size=(len(items), 12)).astype("float32")
    pl.DataFrame({"item_id": items["item_id"], "vector": vectors.tolist()}).write_parquet(base / "vectors.parquet")
    (base / "tokenizer.yaml").write_text(TOKENIZER)


def lay_out(job: Job, prepared: Path, folder: Path) -> None:
    """The folder in which a command will run."""
    folder.mkdir(parents=True)
    (folder / "base").symlink_to(prepared / "base")
    if job.old is not None:
        old = prepared / "base" / job.old
        (shutil.copytree if old.is_dir() else shutil.copy)(old, folder / job.out)


def state(job: Job, folder: Path) -> str:
    """What stands at a command's output: ``nothing``, ``unfinished``, or the digest of something that loads.

    Raises:
        GenRecError: What is there cannot be loaded.
    """
    out = folder / job.out
    mend(out)  # as every command does that reads or writes there
    if job.kind == "index":
        from genrec.index.semantic_index import SemanticIndex

        return _opened(out, SemanticIndex.load)
    if job.kind == "recommender":
        return _opened(out, _recommender)
    if not out.exists():
        return "nothing"
    if job.kind == "table":
        import polars as pl

        pl.read_parquet(out)
    elif job.kind == "shards":
        import polars as pl

        for path in out.glob("part-*.parquet"):
            pl.read_parquet(path)
        manifest = out / "generate.json"
        if not (manifest.is_file() and json.loads(manifest.read_text())["complete"]):
            return "unfinished"
    else:
        json.loads((out / "metrics.json").read_text())
        (out / "report.html").read_text()
    return digest(out)


def _recommender(folder: Path) -> Any:
    from genrec.generative.pretrained import FoundationModel
    from genrec.loading import load, saved_kind

    return FoundationModel.from_pretrained(folder) if saved_kind(folder) == "foundation" else load(folder)


def _opened(out: Path, load: Callable[[Path], Any]) -> str:
    from genrec.artifacts import folders

    left = [kind for _, kind in folders.leftovers(out) if kind != "tmp"]
    if not out.exists() and not left:
        return "nothing"
    load(out)
    return digest(out)


def digest(path: Path) -> str:
    """Of a file, or of all names and contents of a folder; clock readings are left out."""
    found = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        found.update(f"{file.relative_to(path.parent)}\n".encode())
        if file.is_file():
            found.update(_plain(file.read_bytes(), file.suffix))
    return found.hexdigest()[:16]


def _plain(content: bytes, suffix: str) -> bytes:
    if suffix not in (".json", ".md", ".html"):
        return content
    text = content.decode()
    text = re.sub(r'"(?:files|sha256)": (?:\{[^}]*\}|"[0-9a-f]{64}")', '""', text)  # of files with clock readings
    text = re.sub(r"<td>[0-9.,]+</td></tr>", "</tr>", text)  # the last column of a report: seconds
    return _VOLATILE.sub('""', _without_seconds(text)).encode()


def _without_seconds(text: str) -> str:
    """Markdown tables without their column of seconds."""
    lines, at = [], None
    for line in text.split("\n"):
        cells = line.split("|")
        if not line.startswith("|"):
            at = None
        elif at is None:
            names = [cell.strip() for cell in cells]
            at = names.index("seconds") if "seconds" in names else -1
        elif at > 0:
            cells[at] = ""
        lines.append("|".join(cells))
    return "\n".join(lines)


def names(folder: Path) -> list[str]:
    """Everything below a folder, hidden or not, but what was laid out."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.name != "base")
