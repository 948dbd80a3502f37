"""Peak memory of the trie, of decoding and of training, in turns with another checkout.

    python scripts/bench_memory.py --against CHECKOUT [--items 10000000] [--rounds 2] [--only training]

Every measurement is a process of its own with one thread, which reads its largest resident size (getrusage) before and
after the work. Bytes a parameter: a step of AdamW on two items, weights, gradients and moments with it. Bytes a token:
what each more item of the histories of a step adds, for the network of item-decoder-small.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent

COMMON = """
import json, resource, sys
import numpy as np
items = int(sys.argv[1])
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
def paths(n):
    numbers = np.arange(n, dtype=np.uint32) * np.uint32(2654435769) & np.uint32(0xFFFFFF)  # once each, in no order
    return np.stack([numbers >> 16, numbers >> 8 & 255, numbers & 255], axis=1).astype(np.int32)
"""

NETWORK = """
import torch
torch.set_num_threads(1)
from genrec.models import build_model
def network(dim, layers):
    heads = {"num_attention_heads": dim // 32, "num_key_value_heads": dim // 32, "head_dim": 32}
    backbone = {"hidden_size": dim, "intermediate_size": 3 * dim, "num_hidden_layers": layers, **heads}
    return build_model("item-decoder", (256,) * 3, backbone=backbone, depth_backbone={"num_hidden_layers": 1})
def step(model, adam, users, n):
    codes = torch.randint(0, 256, (users, n, 3))
    model(codes=codes, mask=torch.ones(users, n, dtype=torch.bool)).loss.backward()
    adam.step()
    adam.zero_grad()
"""

WORK = {
    "trie, bytes an item": """
from genrec.trie import Trie
trie = Trie.from_codes(paths(items), (256,) * 3)
print(json.dumps(trie.nbytes / items))
""",
    "building the trie, peak beside the codes, bytes an item": """
from genrec.trie import Trie
Trie.from_codes(paths(1000), (256,) * 3)
codes = paths(items)
before = peak()
Trie.from_codes(codes, (256,) * 3)
print(json.dumps(max(0, peak() - before) / items))
""",
    "decoding 128 users x 20 beams, 100,000 items, peak in MiB": """
from genrec.trie import Trie
from genrec.decoding.beam import beam_search
from genrec.decoding.device_trie import DeviceTrie
model = network(128, 2).eval()
trie = DeviceTrie(Trie.from_codes(paths(100_000), (256,) * 3))
def search(users):
    codes = torch.randint(0, 256, (users, 20, 3))
    with torch.inference_mode():
        state = model.prefill(codes, torch.ones(users, 20, dtype=torch.bool))
        beam_search(model, state, trie, users, beams=20)
search(1)
before = peak()
search(128)
print(json.dumps((peak() - before) / 2**20))
""",
    "training, bytes a parameter": """
step(model := network(64, 1), torch.optim.AdamW(model.parameters(), fused=True), 1, 2)
before = peak()
model = network(512, 6).train()
adam = torch.optim.AdamW(model.parameters(), fused=True)
for _ in range(2):
    step(model, adam, 1, 2)
print(json.dumps((peak() - before) / sum(one.numel() for one in model.parameters())))
""",
    "training, bytes a token": """
model = network(128, 2).train()
adam = torch.optim.AdamW(model.parameters(), fused=True)
found = []
for users in (64, 320):
    for _ in range(2):
        step(model, adam, users, 20)
    found.append(peak())
print(json.dumps((found[1] - found[0]) / (256 * 20)))
""",
}


def main() -> None:
    """Measure every kind of work in both checkouts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, required=True, help="another checkout")
    parser.add_argument("--items", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", default="", help="measure what begins with this text")
    options = parser.parse_args()
    checkouts = {"before": options.against.resolve(), "after": ROOT}
    for what, code in ((what, code) for what, code in WORK.items() if what.startswith(options.only)):
        found: dict[str, list[float]] = {name: [] for name in checkouts}
        for _ in range(options.rounds):
            for name, checkout in checkouts.items():
                found[name].append(measured(code, checkout, options.items))
        before, after = (median(found[name]) for name in checkouts)
        print(f"{what}: {before:,.1f} -> {after:,.1f}", flush=True)


def measured(code: str, checkout: Path, items: int) -> float:
    """What one process prints last."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    whole = COMMON + (NETWORK if "network(" in code else "") + code
    done = subprocess.run([sys.executable, "-c", whole, str(items)], env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return float(json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    main()
