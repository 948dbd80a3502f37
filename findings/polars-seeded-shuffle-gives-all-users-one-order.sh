#!/usr/bin/env bash
# With a seed, polars shuffles and samples every user's items in the same order.
#
# Guess beforehand: a seed makes the result repeatable; users still get orders of their own, as in pandas' groupby.sample.
# Found: shuffle(seed=7).over("user") and sample(2, seed=7) in group_by start the generator anew for each group. 1,000 users of six
# items get one order, so the held-out item is the one on the same place of every history. Without a seed the orders differ
# (and pl.set_random_seed before the call makes these repeatable).
# Why it matters: a random leave-one-out split, random negatives and masked items are written in this way, and the seed is there for the
# sake of the paper. If histories are in order of time, the "random" item is, say, the fifth of all users; negatives drawn
# from one candidate list are the same for everybody.
# Output seen:
#   orders of 1000 users: shuffle with a seed 1, shuffle without 540
#   pairs of places drawn by sample: with a seed 1, without 30; pl.set_random_seed: repeatable True
# Usage: bash findings/polars-seeded-shuffle-gives-all-users-one-order.sh   (installs polars==2.1.0 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check polars==2.1.0
env/bin/python - <<'END'
import polars as pl

users, length = 1000, 6
table = pl.DataFrame({"user": [u for u in range(users) for _ in range(length)], "item": list(range(length)) * users})


def orders(seed: int | None) -> int:
    drawn = table.with_columns(pl.col("item").shuffle(seed=seed).over("user"))
    return len({tuple(row) for row in drawn.group_by("user", maintain_order=True).agg("item")["item"].to_list()})


def pairs(seed: int | None) -> list[tuple[int, ...]]:
    drawn = table.group_by("user", maintain_order=True).agg(pl.col("item").sample(2, seed=seed))
    return [tuple(row) for row in drawn["item"].to_list()]


pl.set_random_seed(1)
first = pairs(None)
pl.set_random_seed(1)
again = pairs(None)
print(f"orders of {users} users: shuffle with a seed {orders(7)}, shuffle without {orders(None)}")
print(f"pairs of places drawn by sample: with a seed {len(set(pairs(7)))}, without {len(set(first))};", end=" ")
print(f"pl.set_random_seed: repeatable {first == again}")
assert orders(7) == 1 and len(set(pairs(7))) == 1
assert orders(None) > 300 and len(set(first)) > 10 and first == again
END
echo "as found: polars-seeded-shuffle-gives-all-users-one-order"
