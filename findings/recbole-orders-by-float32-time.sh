#!/usr/bin/env bash
# RecBole sorts interactions by a timestamp in float32, so what was bought within two minutes keeps no order.
#
# Guess beforehand: eval_args order TO sorts by the seconds of the file; the last purchase of a user is the test item.
# Found: the column is read as float64, but sorting happens after it became a float32 tensor, which holds today's Unix
# seconds in steps of 128. A user who bought 20 items 5 seconds apart is tested on the 14th one, with later ones in the history.
# The same file in the order of time, or with timestamps that start at 0, gives the 20th.
# Why it matters: sessions, playlists and MovieLens ratings are seconds apart. Histories hold the future and targets are not
# the last item, silently, in every model and every split by time (LS and RS).
# Output seen:
#   seconds since 1970: test item i13, 6 later items in its history
#   seconds since the first purchase: test item i19, 0 later items in its history
# Usage: bash findings/recbole-orders-by-float32-time.sh   (installs recbole==1.2.1 numpy==1.26.4 pandas==2.2.3 scipy==1.13.1 torch==2.13.0 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check recbole==1.2.1 numpy==1.26.4 pandas==2.2.3 scipy==1.13.1 torch==2.13.0
env/bin/python - <<'END'
import logging, os, sys, warnings

warnings.filterwarnings("ignore")
sys.argv = ["finding"]
from recbole.config import Config
from recbole.data import create_dataset, data_preparation


def held_out(name: str, start: int) -> tuple[str, int]:
    os.makedirs(f"data/{name}", exist_ok=True)
    with open(f"data/{name}/{name}.inter", "w") as file:
        file.write("user_id:token\titem_id:token\ttimestamp:float\n")
        for n in reversed(range(20)):  # the newest first, as many exports are
            file.write(f"ann\ti{n:02d}\t{start + 5 * n}\n")
    settings = {
        "data_path": "data",
        "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
        "train_neg_sample_args": None,
        "eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "full", "group_by": "user"},
        "use_gpu": False,
    }
    dataset = create_dataset(Config(model="SASRec", dataset=name, config_dict=settings))
    case = data_preparation(dataset.config, dataset)[2].dataset.inter_feat
    item = str(dataset.id2token("item_id", case["item_id"].numpy())[0])
    history = [str(one) for one in dataset.id2token("item_id", case["item_id_list"].numpy()[0]) if one != "[PAD]"]
    return item, sum(one > item for one in history)


today, small = held_out("today", 1_700_000_000), held_out("small", 0)
print(f"seconds since 1970: test item {today[0]}, {today[1]} later items in its history")
print(f"seconds since the first purchase: test item {small[0]}, {small[1]} later items in its history")
assert today[0] != "i19" and today[1] > 0
assert small == ("i19", 0)
END
echo "as found: recbole-orders-by-float32-time"
