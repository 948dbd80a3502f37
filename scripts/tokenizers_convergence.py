"""RQ-VAE: quality against time of training, ours beside the settings that public code trains for 10,000 epochs or more.

    python scripts/tokenizers_convergence.py DATA_FOLDER           # about 10 minutes of one quiet core

DATA_FOLDER holds items.jsonl and interactions.csv; the vectors are those of all-MiniLM-L6-v2 (cached). The clock counts
training only, not the measuring after every epoch. The public settings are trained for a few epochs, which gives their
speed; the time of 10,000 and 20,000 epochs is that speed times the number, and no quality is claimed for it. Writes
scripts/results/tokenizers-convergence.{json,md} after every run.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tokenizer_common import RESULTS, Row, about, load, read_rows, recipes, table, write_rows

from genrec.index.item_tokenizer import encode_items
from genrec.index.recipe import load_recipe
from genrec.index.stats import level_stats
from genrec.quantizers import autoencoder, rq_vae
from genrec.quantizers.base import nearest, residual_encode
from genrec.quantizers.kmeans import kmeans
from genrec.trie import group_paths

NAME = "tokenizers-convergence"
COMMAND = "python scripts/tokenizers_convergence.py DATA_FOLDER"
PUBLIC_EPOCHS = (10_000, 20_000)
# What LC-Rec, LETTER and MiniOneRec have in common: a deep encoder, entries learned by gradients straight through,
# k-means starts, and no entry is ever replaced.
PUBLIC = {
    "levels": 3,
    "codebook_size": 256,
    "latent_dim": 32,
    "hidden": [2048, 1024, 512, 256, 128, 64],
    "update": "gradient",
    "rotation_trick": False,
    "warmup": 0,
    "revive_below": 0.0,
    "batch_size": 1024,
    "learning_rate": 1e-3,
}
COLUMNS = [
    ("settings", "variant", str),
    ("epochs", "epochs", lambda v: f"{v:,}"),
    ("training CPU s", "seconds", lambda v: f"{v:,.1f}"),
    ("variance lost", "reconstruction_error", lambda v: f"{v:.1%}"),
    ("collisions", "collision_rate", lambda v: f"{v:.2%}"),
    ("in use, worst level", "min_utilisation", lambda v: f"{v:.1%}"),
    ("perplexity, worst level", "min_perplexity", lambda v: f"{v:.0f}"),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--encoder", default="minilm")
    parser.add_argument("--public-epochs", type=int, default=12, help="epochs of the public settings that are measured")
    parser.add_argument("--only", nargs="+", choices=("ours", "public"), default=["ours", "public"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    catalog, _ = load(options.folder)
    recipe = recipes(["rq-vae-3x256"], options.encoder)[0]
    order = np.argsort(catalog.item_ids.astype(str), kind="stable")
    vectors = np.asarray(encode_items(recipe, catalog).vectors)[order]
    ours = {key: value for key, value in load_recipe("rq-vae-3x256").quantizer.items() if key != "name"}
    runs = {"ours": ours, "public": PUBLIC | {"epochs": options.public_epochs, "patience": options.public_epochs}}
    for variant in options.only:
        content = [row for row in read_rows(options.out, NAME) if row["variant"] != variant]
        made = train(variant, runs[variant], vectors, options.seed)
        common = {"dataset": options.folder.resolve().name, "items": len(vectors), **about(NAME, COMMAND)}
        content = sorted([*content, *(row | common for row in made)], key=lambda row: (row["variant"], row["epochs"]))
        write_rows(options.out, NAME, content, page(content))
        print(table([row for row in content if row["variant"] == variant], COLUMNS), flush=True)


def train(variant: str, settings: dict[str, Any], vectors: np.ndarray, seed: int) -> list[Row]:
    """One fit with a row for some of its epochs; the clock stands still while a row is made."""
    quantizer = rq_vae.RQVAE.from_settings(settings)
    made: list[Row] = []
    spent = {"measuring": 0.0, "epochs": 0}
    began = time.process_time()

    def traced(model: Any, x: Any, settings: Any, loss_of: Any, error_of: Callable[[], float], **more: Any) -> float:
        if variant == "public":
            initialise(model, x)

        def measured() -> float:
            now = time.process_time()
            error = error_of()
            epoch = spent["epochs"]
            if "rvq" in model and (epoch < 5 or epoch % 5 == 0):
                made.append(row(variant, model, x, error, epoch, now - began - spent["measuring"]))
            spent["epochs"] = epoch + 1
            spent["measuring"] += time.process_time() - now
            return error

        result = autoencoder.train(model, x, settings, loss_of, measured, **more)
        spent["epochs"] -= 1  # the measurement before the first epoch
        if "rvq" in model:
            now = time.process_time() - began - spent["measuring"]
            made.append(row(variant, model, x, result, spent["epochs"], now) | {"final": True})
        return result

    rq_vae.train = traced  # type: ignore[attr-defined]
    quantizer.fit(vectors, seed=seed)
    made[-1]["epochs_per_second"] = made[-1]["epochs"] / made[-1]["seconds"]
    made[-1]["settings"] = settings
    return made


def initialise(model: Any, x: Any) -> None:
    """Xavier weights and zero biases, as public code has them, and entries by k-means on the latents of those."""
    import torch

    for name in ("encoder", "decoder"):
        for layer in model[name]:
            if isinstance(layer, torch.nn.Linear):
                torch.nn.init.xavier_normal_(layer.weight)
                torch.nn.init.zeros_(layer.bias)
    rest = autoencoder.apply(model["encoder"], x.numpy())
    for level, layer in enumerate(model["rvq"].layers):
        book = kmeans(rest, len(layer.codebook), iterations=10, seed=level, backend="scikit-learn")
        layer._codebook.embed.data[0] = torch.from_numpy(book)
        rest = rest - book[nearest(rest, book)]


def row(variant: str, model: Any, x: Any, error: float, epoch: int, seconds: float) -> Row:
    """Quality of the codes of the training vectors at this moment."""
    books = [np.ascontiguousarray(layer.codebook.detach().numpy()) for layer in model["rvq"].layers]
    codes = residual_encode(autoencoder.apply(model["encoder"], x.numpy()), books)
    sizes = tuple(len(book) for book in books)
    levels = [level_stats(codes[:, n], size) for n, size in enumerate(sizes)]
    return {
        "variant": variant,
        "epochs": epoch,
        "seconds": round(seconds, 2),
        "reconstruction_error": error,  # the vectors are scaled to variance one
        "collision_rate": 1 - (int(group_paths(codes, sizes).max()) + 1) / len(codes),
        "min_utilisation": min(level.utilisation for level in levels),
        "min_perplexity": min(level.perplexity for level in levels),
    }


def page(content: list[Row]) -> str:
    first = content[0]
    lines = ["# How soon an RQ-VAE is trained", "", f"`{COMMAND}`", ""]
    lines += [
        f"{first['dataset']}, {first['items']:,} items, MiniLM vectors, 3 × 256 codes, one seed. Training CPU s: CPU "
        "time of one thread, measuring not counted. Collisions are those of the nearest codes, before anything tells "
        "items apart. “ours”: recipe rq-vae-3x256, with its epochs of the plain autoencoder counted; the last row is "
        "the state that is kept. “public”: deep encoder (Xavier weights), entries learned by gradients straight "
        "through, k-means start, no revival, as in LC-Rec, LETTER and MiniOneRec, in this implementation.",
        "",
        table(content, COLUMNS),
        "",
    ]
    for one in (row for row in content if row.get("final")):
        speed = one["epochs_per_second"]
        lines.append(f"- {one['variant']}: {speed:.2f} epochs/s measured over {one['epochs']} epochs.")
        if one["variant"] == "public":
            hours = " and ".join(f"{n:,} epochs {n / speed / 3600:,.1f} h" for n in PUBLIC_EPOCHS)
            lines.append(
                f"  At this speed, {hours} on this machine (extrapolated; their final quality was not measured)."
            )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
