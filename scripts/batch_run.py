"""Batch generation of many histories on the demo shop's model: killed, in two processes, and in constant memory.

Makes the shop and its recommender (a network of few epochs: how good it is does not matter here) and histories of N
users, and runs ``genrec generate --shard-users``: uninterrupted, with workers and the main process killed at random
moments, for 10,000 users, with one process and with two. Results must be equal byte for byte.
"""

import argparse
import hashlib
import json
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from genrec.wording import count

RESULTS = Path(__file__).resolve().parent / "results"
FEW = 10_000
K = 10
_LOOK = 0.5


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recommender", choices=("network", "counts"), default="network",
                        help="That of genrec demo, or transition counts on the same shop.")  # fmt: skip
    parser.add_argument("--users", type=int, default=1_000_000, help="N.")
    parser.add_argument("--ratio-users", type=int, default=FEW, help="Users of the runs with one and two processes.")
    parser.add_argument("--shard-users", type=int, default=1_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--least-pause", type=float, default=2, help="Least seconds of the same.")
    parser.add_argument("--pause", type=float, default=40, help="Most seconds from a start or kill to the next kill.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ray", help="Python with Ray: the same job through its actors, and one of them killed.")
    parser.add_argument("--rounds", type=int, default=1, help="Of runs through Ray and without, in turns.")
    parser.add_argument("--folder", type=Path, help="Where to work; what is there already is used again.")
    parser.add_argument("--write", action="store_true", help="Write scripts/results/batch.{json,md}.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="batch-run-") as place:
        rows = BatchRun(options.folder or Path(place), options).run()
    if options.write:
        write(rows, options)
    raise SystemExit(any(row.get("equal") is False for row in rows))


class BatchRun:
    """All runs; a row each."""

    def __init__(self, folder, options):
        self.folder, self.options, self.rng = folder, options, random.Random(options.seed)
        self.python, self.rows = sys.executable, []
        self.model = folder / options.recommender

    def run(self):
        self.prepare()
        many, few, ratio = self.options.users, FEW, self.options.ratio_users
        self.measured(few, 1, "10,000 users")
        self.measured(ratio, 1, "one process")
        self.measured(ratio, 2, "two processes")
        whole = self.measured(many, 2, "uninterrupted")
        self.killed(many, whole)
        if self.options.ray:
            self.through_ray(ratio)
        return self.rows

    def prepare(self):
        """The shop, its model, and histories."""
        from genrec.data.shop import write_shop

        items, interactions = write_shop(self.folder / "shop")
        if self.options.recommender == "counts" and not self.model.is_dir():
            self.genrec("baseline", "transition-counts", items, interactions, "--out", self.model)
        elif not self.model.is_dir():
            index = self.folder / "index"
            self.genrec("index", "build", items, "--interactions", interactions, "--tokenizer", "demo", "--out", index,
                        "--overwrite")  # fmt: skip
            few = ("--set", "trainer.num_train_epochs=1", "--set", "validation.users=200")
            self.genrec("train", index, interactions, "--config", "demo", *few, "--out", self.model)
        for users in {FEW, self.options.ratio_users, self.options.users}:
            write_histories(interactions, self.histories(users), users, self.options.seed)

    def histories(self, users):
        return self.folder / f"histories-{users}.parquet"

    def genrec(self, *words):
        subprocess.run([self.python, "-m", "genrec", *map(str, words)], check=True, env=environment())

    def start(self, users, out, workers, *more):
        words = ["generate", self.model, self.histories(users), "--out", out, "--k", K, "--workers", workers]
        words += ["--shard-users", self.options.shard_users, *more]
        with (self.folder / "log.txt").open("a") as log:
            return subprocess.Popen([self.python, "-m", "genrec", *map(str, words)], stdout=log, stderr=log,
                                    env=environment())  # fmt: skip

    def measured(self, users, workers, name, *more):
        """An uninterrupted run: seconds, peak memory, digest."""
        out = self.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        began, first = time.monotonic(), None
        process, cpu, looked = self.start(users, out, workers, *more), CpuTime(), 0.0
        while True:
            done, status, usage = os.wait4(process.pid, os.WNOHANG)
            if done:
                break
            if time.monotonic() - looked > _LOOK:
                looked = time.monotonic()
                cpu.look(process.pid)
            if first is None and any(out.glob("part-*.parquet")):
                first = time.monotonic(), len(list(out.glob("part-*.parquet")))
            time.sleep(0.05)
        if status:
            raise SystemExit(f"{name} ended with {status}: {(self.folder / 'log.txt').read_text()[-2000:]}")
        ended = time.monotonic()
        shards = len(list(out.glob("part-*.parquet")))
        row = {"run": name, "users": users, "workers": workers, "seconds": round(ended - began, 1),
               "seconds from the first shard": round(ended - first[0], 1) if first else None,
               "shards after the first": shards - (first[1] if first else shards),
               "CPU seconds": round(cpu.seconds(), 1), "peak MiB of a process": round(usage.ru_maxrss / 1024),
               "digest": digest(out)}  # fmt: skip
        return self.add(row)

    def add(self, row):
        self.rows.append(row)
        print(row, flush=True)
        return row

    def killed(self, users, whole):
        """The same with kills at random moments; where it ends before the last of them, it begins anew."""
        out, kills, ends, began = self.folder / "killed", {"worker": 0, "main": 0}, [], time.monotonic()
        gave_up = 0
        shutil.rmtree(out, ignore_errors=True)
        while sum(kills.values()) < self.options.kills or not ends or out.exists():
            process = self.start(users, out, 2)
            while sum(kills.values()) < self.options.kills:
                if ended(process, self.rng.uniform(self.options.least_pause, self.options.pause)):
                    break
                workers = [pid for pid in children(process.pid) if is_worker(pid)]
                victim = self.rng.choice([process.pid, *workers])
                os.kill(victim, signal.SIGKILL)
                kills["main" if victim == process.pid else "worker"] += 1
                print(f"killed {kills}", flush=True)
            status = process.wait()
            if status == -signal.SIGKILL:
                continue
            if status == 1 and "Three processes in turn died" in (self.folder / "log.txt").read_text()[-500:]:
                gave_up += 1  # it takes a shard that three workers died of for the cause; the same command goes on
                continue
            if status:
                raise SystemExit(f"ended with {status}: {(self.folder / 'log.txt').read_text()[-2000:]}")
            ends.append(digest(out))
            shutil.rmtree(out)
        row = {"run": "killed", "users": users, "workers": 2, "seconds": round(time.monotonic() - began, 1),
               "kills of workers": kills["worker"], "kills of the main process": kills["main"],
               "given up": gave_up,
               "digest": ends[-1], "equal": set(ends) == {whole["digest"]}}  # fmt: skip
        self.add(row)

    def through_ray(self, users):
        """The same job by the actors of Ray, with one killed on the way."""
        before, one = self.python, next(row["digest"] for row in self.rows if row["run"] == "two processes")
        for turn in range(self.options.rounds):
            if turn:
                self.measured(users, 2, "two processes")
            self.python = self.options.ray
            row = self.measured(users, 2, "Ray, two actors", "--engine", "ray")
            row["equal"] = row["digest"] == one
            self.python = before
        out = self.folder / "ray-killed"
        shutil.rmtree(out, ignore_errors=True)
        self.python = self.options.ray
        process = self.start(users, out, 2, "--engine", "ray")
        self.python = before
        shards = -(-users // self.options.shard_users)
        while len(list(out.glob("part-*.parquet"))) < shards // 2 and process.poll() is None:
            time.sleep(0.1)
        actors = [pid for pid in descendants(process.pid) if is_actor(pid)]
        if not actors:
            raise SystemExit(f"no actor to kill: {(self.folder / 'log.txt').read_text()[-2000:]}")
        os.kill(self.rng.choice(actors), signal.SIGKILL)
        made = len(list(out.glob("part-*.parquet")))
        status = process.wait()
        if status:
            raise SystemExit(f"Ray ended with {status}: {(self.folder / 'log.txt').read_text()[-2000:]}")
        self.add({"run": "Ray, an actor killed", "users": users, "workers": 2, "kills of workers": 1,
                  "shards at the kill": made, "shards": shards, "digest": digest(out),
                  "equal": digest(out) == one})  # fmt: skip


def write_histories(interactions, path, users, seed):
    """Histories of any number of users, each the beginning of one of the shop's, in pieces of bounded memory."""
    if path.is_file():
        return
    table = pl.read_csv(interactions)
    starts = np.r_[0, np.flatnonzero(table["user_id"].to_numpy()[1:] != table["user_id"].to_numpy()[:-1]) + 1]
    lengths = np.diff(np.r_[starts, len(table)])
    rng, folder = np.random.default_rng(seed), path.with_suffix(".pieces")
    folder.mkdir(parents=True, exist_ok=True)
    for number, begin in enumerate(range(0, users, 50_000)):
        chosen = rng.integers(len(starts), size=min(50_000, users - begin))
        keep = (lengths[chosen] * rng.uniform(0.5, 1.0, len(chosen))).astype(int).clip(min=2)
        rows = np.repeat(starts[chosen] - np.r_[0, np.cumsum(keep)[:-1]], keep) + np.arange(keep.sum())
        names = pl.Series([f"u{begin + n}" for n in range(len(chosen))])
        piece = table[rows].with_columns(user_id=names.gather(np.repeat(np.arange(len(chosen)), keep)))
        piece.write_parquet(folder / f"{number:05d}.parquet")
    pl.scan_parquet(folder / "*.parquet").sink_parquet(path)
    shutil.rmtree(folder)


def digest(out):
    """Of the names and bytes of a result."""
    found = hashlib.sha256()
    for path in sorted(out.rglob("*")):
        found.update(f"{path.relative_to(out)}\n".encode())
        if path.is_file():
            found.update(path.read_bytes())
    return found.hexdigest()[:16]


def ended(process, seconds):
    """Whether a process ends within so many seconds."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def everybody():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def stats():
    """State, parent, ticks of CPU and beginning of every process."""
    found = {}
    for pid in everybody():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        found[pid] = fields[0], int(fields[1]), int(fields[11]) + int(fields[12]), fields[19]
    return found


def children(pid):
    """Processes that a process has started."""
    return [other for other, (state, parent, *_) in stats().items() if parent == pid and state != "Z"]


def descendants(pid, known=None):
    """The same, with those that they have started."""
    known = stats() if known is None else known
    own = [other for other, (_, parent, *_) in known.items() if parent == pid]
    return own + [below for other in own for below in descendants(other, known)]


class CpuTime:
    """CPU time of a process and of all that it starts, looked at now and then; the last look is what counts."""

    def __init__(self):
        self.ticks = {}

    def look(self, pid):
        known = stats()
        for other in [pid, *descendants(pid, known)]:
            if other in known:
                self.ticks[other, known[other][3]] = known[other][2]

    def seconds(self):
        return sum(self.ticks.values()) / os.sysconf("SC_CLK_TCK")


def command_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def is_worker(pid):
    """Whether a child is a worker, and not what Python keeps beside it to clean up."""
    return b"spawn_main" in command_of(pid)


def is_actor(pid):
    """Whether a process is one of Ray's that makes shards."""
    command = command_of(pid)
    return command.startswith(b"ray::") and b"ShardActor" in command


def environment():
    return os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}


def own_command():
    words = [word for word in sys.argv[1:] if not word.startswith("/")]
    return " ".join(["python scripts/batch_run.py", *(word for word in words if word not in ("--folder", "--ray"))])


def write(rows, options):
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    about = {"command": own_command(), "commit": commit, "machine": f"{platform.machine()}, {os.cpu_count()} cores"}
    RESULTS.mkdir(exist_ok=True)
    about |= {"recommender": options.recommender, "shard_users": options.shard_users}
    path = RESULTS / "batch.json"
    others = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    made = [row for row in others if row["recommender"] != options.recommender]
    made += [{"benchmark": "batch"} | row | about for row in rows]
    path.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    (RESULTS / "batch.md").write_text(as_page(made), encoding="utf-8")


def as_page(rows):
    """The results page: a section for every recommender that was run."""
    lines = ["# Batch generation: kills, memory, two processes", ""]
    for name in ("network", "counts"):
        own = [row for row in rows if row["recommender"] == name]
        lines += section(name, own) if own else []
    return "\n".join(lines).rstrip() + "\n"


def section(name, rows):
    named, about = {row["run"]: row for row in rows}, rows[0]
    few, whole, killed = named["10,000 users"], named["uninterrupted"], named["killed"]
    one, two = named["one process"], named["two processes"]
    kills = killed["kills of workers"] + killed["kills of the main process"]
    what = "network and counts" if name == "network" else "transition counts"
    lines = [
        f"## {whole['users']:,} histories: the demo shop's {what}",
        "",
        f"Shards of {about['shard_users']:,} users; {about['machine']}, shared with other work.",
        "",
        f"`{about['command']}`",
        "",
        f"* Killed {kills} times at random moments ({killed['kills of the main process']} times the main process, "
        f"{killed['kills of workers']} times a worker): the result is "
        f"{'equal' if killed['equal'] else 'NOT equal'} to the uninterrupted one, byte for byte.",
        f"* Where three workers in turn are killed at the same shard, the command ends with an error that says so, and "
        f"the same command goes on. That came {count(killed['given up'], 'time')}.",
        f"* One process had {one['peak MiB of a process']:,} MiB at most for {one['users']:,} users and "
        f"{few['peak MiB of a process']:,} MiB for 10,000: {memory_alone(rows):.2f} times as much. Of two the "
        f"larger had {two['peak MiB of a process']:,} MiB for {two['users']:,} users and "
        f"{whole['peak MiB of a process']:,} MiB for {whole['users']:,}.",
        f"* Two processes made {rate(named['two processes']) / rate(named['one process']):.2f} times as many shards a "
        "second as one, counted from the first shard, when all had loaded the model. That flatters two: the second's "
        f"shard is nearly done then. The whole command was {one['seconds'] / two['seconds']:.2f} times as fast.",
    ]
    if "Ray, two actors" in named:
        lines += through_ray(rows)
    columns = ["run", "users", "workers", "seconds", "seconds from the first shard", "shards after the first",
               "CPU seconds", "peak MiB of a process"]  # fmt: skip
    lines += ["", "| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for row in rows:
        cells = [f"{row[key]:,}" if isinstance(row.get(key), int) else str(row.get(key) or "") for key in columns]
        lines.append("| " + " | ".join(cells) + " |")
    return [*lines, ""]


def through_ray(rows):
    """What Ray costs beside worker processes: medians over the rounds."""

    def middle(run, value):
        return float(np.median([value(row) for row in rows if row["run"] == run]))

    killed = next(row for row in rows if row["run"] == "Ray, an actor killed")
    same = all(row["equal"] for row in rows if row["run"].startswith("Ray"))
    pair = "Ray, two actors", "two processes"
    whole = [middle(run, lambda row: row["seconds"]) for run in pair]
    cpu = [middle(run, lambda row: row["CPU seconds"]) for run in pair]
    steady = [middle(run, rate) for run in pair]
    return [
        f"* Ray's two actors made {steady[0] / steady[1]:.2f} times as many shards a second as two processes, counted "
        f"from the first shard; the whole command took {whole[0] / whole[1]:.2f} times as long, Ray's own start "
        f"included, and {cpu[0] / cpu[1]:.2f} times the CPU time.",
        f"* An actor was killed (-9) after {killed['shards at the kill']} of {killed['shards']} shards: the result is "
        f"{'equal' if same else 'NOT equal'} to that of two processes, byte for byte.",
    ]


def memory_alone(rows):
    """Peak memory of one process for many users against that for few."""
    named = {row["run"]: row for row in rows}
    return named["one process"]["peak MiB of a process"] / named["10,000 users"]["peak MiB of a process"]


def rate(row):
    """Shards a second, without the start."""
    return row["shards after the first"] / max(row["seconds from the first shard"], 1e-9)


if __name__ == "__main__":
    main()
