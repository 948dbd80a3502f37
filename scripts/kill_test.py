"""Kill the commands that write, at random moments and at every step of putting a result in its place.

After each kill the old artefact or the new one loads; the same command run again, perhaps killed again, ends with the
result of an uninterrupted run, and with nothing else left: no temporary file, no hidden copy, no lock.

Commands run in forks of one process that has imported everything, so that a kill costs a second. A case is made of the
seed and its number alone: ``--only N`` runs one again and says what its commands said.
"""

import argparse
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
import traceback
from collections import Counter
from contextlib import suppress
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("POLARS_MAX_THREADS", "1")

from kill_jobs import digest, jobs, lay_out, names, prepare, state, write_tables

RESULTS = Path(__file__).resolve().parent / "results"
AGAIN = 0.25  # of the repeated commands are killed, too
TERMS = 0.2  # of the signals are SIGTERM
INJECTED = ("before the exchange", "after the exchange", "no exchange, new aside", "no exchange, old aside",
            "no exchange, swapped")  # fmt: skip
_PATIENCE = 240.0


class FaultError(Exception):
    """Something that must not be."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="Kills at random moments.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="One case, such as 17, or one injected, such as 'train: after the exchange'.")
    parser.add_argument("--verb", help="Only jobs whose name begins with this.")
    parser.add_argument("--write", action="store_true", help="Write scripts/results/kill-test.{json,md}.")
    options = parser.parse_args()
    import_everything()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kill-test-") as place:
        test = KillTest(Path(place), options)
        rows = test.run()
    report = {"seed": options.seed, "seconds": round(time.monotonic() - began), "rows": rows}
    print(as_page(report))
    if options.write:
        write(report)
    raise SystemExit(any(row["faults"] for row in rows))


def import_everything():
    """What the commands import on their way: forks have it from the start."""
    import importlib
    import pkgutil

    import genrec

    for module in pkgutil.walk_packages(genrec.__path__, "genrec."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in ("transformers.trainer", "accelerate", "sklearn.cluster", "scipy.sparse.linalg"):
        importlib.import_module(name)


class KillTest:
    """All cases of a run; results of uninterrupted runs are made once."""

    def __init__(self, place, options):
        self.place, self.options = place, options
        self.jobs = [job for job in jobs() if job.name.startswith(options.verb or "")]
        self.expected = {}
        self.killed, self.faults, self.where, self.unhurt = Counter(), {}, {}, Counter()

    def run(self):
        self.apart(lambda: write_tables(self.place / "prepared" / "base", self.options.seed) or "done")
        prepare(self.place / "prepared", self.command)
        cases = [("only", self.options.only)] if self.options.only else self.cases()
        for kind, case in cases:
            if kind == "only":
                kind, case = ("random", int(case)) if case.isdigit() else ("injected", case)
            self.injected(case) if kind == "injected" else self.random(case)
        return self.rows()

    def cases(self):
        swaps = ("index", "recommender", "report")
        for job in self.jobs:
            if job.old is not None and job.kind in swaps:
                yield from (("injected", f"{job.name}: {where}") for where in INJECTED)
        number = 0
        while sum(n for (_, how), n in self.killed.items() if how != "injected") < self.options.kills:
            yield "random", number
            number += 1

    def rows(self):
        """One row a job and way of killing."""
        found = []
        for job in self.jobs:
            for how in ("SIGKILL", "SIGTERM", "injected"):
                count = self.killed[job.name, how]
                faults = self.faults.get((job.name, how), [])
                if count or faults:
                    after = Counter(self.where.get((job.name, how), []))
                    found.append({"benchmark": "kill-test", "command": job.name, "how": how, "kills": count}
                                 | {f"then {name}": after[name] for name in ("nothing", "old", "unfinished", "new")}
                                 | {"faults": len(faults), "what": faults[:5]})  # fmt: skip
        return found

    def command(self, folder, words, arm=None):
        """Run to the end; what it says is shown where that is an error."""
        code, text = self.wait(self.start(folder, words, arm), folder)
        if code:
            raise FaultError(f"genrec {' '.join(words)} ended with {code}: {text[-2000:]}")
        return text

    def start(self, folder, words, arm=None):
        """The process of a command, in a group of its own."""
        (self.place / "tmp").mkdir(exist_ok=True)
        child = os.fork()
        if child:
            return child
        code = 70
        try:
            os.setsid()
            os.chdir(folder)
            log = os.open(self.log(folder), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.environ |= {"TMPDIR": str(self.place / "tmp"), "GENREC_CACHE": str(self.place / "cache")}
            tempfile.tempdir = None
            sys.argv = ["genrec", *words]
            if arm is not None:
                arm()
            from genrec.cli.main import main as genrec

            try:
                genrec()
                code = 0
            except SystemExit as end:
                code = end.code or 0
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

    def log(self, folder):
        return self.place / f"{folder.name}.log"

    def wait(self, child, folder):
        """Exit code (negative: the signal) and what was said."""
        limit = time.monotonic() + _PATIENCE
        while True:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                break
            if time.monotonic() > limit:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                raise FaultError(f"did not end: {self.log(folder).read_text()[-1500:]}")
            time.sleep(0.01)
        text = self.log(folder).read_text() if self.log(folder).exists() else ""
        self.log(folder).unlink(missing_ok=True)
        if self.options.only and text:
            print(text)
        return os.waitstatus_to_exitcode(status), text

    def reference(self, job):
        """Result, names and seconds of an uninterrupted run; two of them must be equal."""
        if job.name not in self.expected:
            found = []
            kept = self.place / "references" / str(self.jobs.index(job))
            for number in range(2):
                folder = self.place / "reference"
                for path in (folder, kept) if number == 0 else (folder,):
                    shutil.rmtree(path, ignore_errors=True)
                lay_out(job, self.place / "prepared", folder)
                began = time.monotonic()
                self.command(folder, job.words)
                seconds = time.monotonic() - began
                found.append((self.state(job, folder), names(folder), seconds))
                if number == 0:
                    shutil.copytree(folder, kept, symlinks=True)
                elif found[0][:2] != found[1][:2]:
                    raise FaultError(f"{job.name}: two uninterrupted runs differ in {self.differing(job, folder)}")
                shutil.rmtree(folder)
            self.expected[job.name] = (*found[0][:2], min(one[2] for one in found))
            print(f"{job.name}: {self.expected[job.name][2]:.1f} s", flush=True)
        return self.expected[job.name]

    def differing(self, job, folder):
        """Files that an uninterrupted run has with other content, and how where that is text."""
        kept, found = self.place / "references" / str(self.jobs.index(job)), []
        for path in sorted(kept.rglob("*")):
            other = folder / path.relative_to(kept)
            if path.is_file() and other.is_file() and digest(path) != digest(other):
                more = ""
                if path.suffix in (".json", ".md", ".html", ".yaml"):
                    pairs = zip(path.read_text().split("\n"), other.read_text().split("\n"), strict=False)
                    more = [pair for pair in pairs if pair[0] != pair[1] and "second" not in pair[0]][:4]
                found.append(f"{path.relative_to(kept)} {more}")
        return found

    def state(self, job, folder):
        """What stands at the output."""

        def look():
            os.chdir(folder)
            return state(job, folder)

        try:
            return self.apart(look)
        except FaultError as fault:
            raise FaultError(f"what is there cannot be loaded: {fault}") from None

    def apart(self, look):
        """What a function says in a process of its own: this one must not start threads, or its forks would hang."""
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            os.close(reader)
            try:
                found = f"+{look()}"
            except BaseException as error:
                found = f"{type(error).__name__}: {error}"
            with os.fdopen(writer, "w") as stream:
                stream.write(found)
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as stream:
            found = stream.read()
        os.waitpid(child, 0)
        if not found.startswith("+"):
            raise FaultError(found or "its reader died")
        return found[1:]

    def random(self, number):
        """A command, killed at a random moment; so may be its repetition."""
        rng = random.Random(f"{self.options.seed} {number}")
        job = rng.choices(self.jobs, [one.weight for one in self.jobs])[0]
        folder, how = self.place / f"case-{number}", "SIGKILL"
        try:
            seconds = self.reference(job)[2]
            lay_out(job, self.place / "prepared", folder)
            before = self.state(job, folder)
            while True:
                how = "SIGTERM" if rng.random() < TERMS else "SIGKILL"
                if not self.kill(job, folder, rng.uniform(0, seconds * 1.05), how, before):
                    break
                if rng.random() > AGAIN:
                    break
            self.finish(job, folder, before)
        except FaultError as fault:
            self.fault(job, how, f"case {number}: {fault}")
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def kill(self, job, folder, after, how, before):
        """Start a command and kill it; whether it was still running."""
        earlier = names(folder) if folder.exists() else ()  # a kill before this one may have left something
        child = self.start(folder, job.words)
        time.sleep(after)
        os.kill(child, getattr(signal, how))
        code, text = self.wait(child, folder)
        gone_down = code == -signal.SIGKILL if how == "SIGKILL" else code == 128 + signal.SIGTERM
        if not gone_down and code not in (0, 1):
            if how == "SIGTERM" and code == -signal.SIGTERM and not text:
                gone_down = True  # before the command had begun
            else:
                raise FaultError(f"{how} ended it with {code}: {text[-1500:]}")
        if code == 1 and "already exists" not in text:
            raise FaultError(f"ended with an error: {text[-1500:]}")
        if not gone_down:
            self.unhurt[job.name, how] += 1
            return False
        self.note(job, folder, before, how)
        if how == "SIGTERM":
            left = {name.partition("/")[0] for name in set(names(folder)) - set(earlier)}
            left -= {job.out, *job.resumes}
            if left:
                raise FaultError(f"SIGTERM left {sorted(left)}")
        return True

    def note(self, job, folder, before, how):
        """Count a kill, and look at what it left: all of the old, all of the new, or something to go on with."""
        self.killed[job.name, how] += 1
        found = self.state(job, folder)
        known = {before: "old" if job.old else "nothing", "unfinished": "unfinished", self.reference(job)[0]: "new"}
        if found not in known:
            raise FaultError(f"what is there is neither old nor new: {found}")
        self.where.setdefault((job.name, how), []).append(known[found])

    def finish(self, job, folder, before):
        """The same command again, to its end."""
        result, expected, _ = self.reference(job)
        code, text = self.wait(self.start(folder, job.words), folder)
        finished = code == 1 and "already exists" in text and not job.old
        if code and not finished:
            raise FaultError(f"the same command ended with {code}: {text[-2000:]}")
        if (found := self.state(job, folder)) != result:
            raise FaultError(f"the result differs in {self.differing(job, folder)}: {found}, not {result}")
        if (now := names(folder)) != expected:
            more = sorted(set(now) ^ set(expected))
            raise FaultError(f"left or missing: {more[:8]}")
        left = [path.name for path in (self.place / "tmp").iterdir()]
        left += [str(path) for path in (self.place / "cache").rglob(".*")]
        if left:
            shutil.rmtree(self.place / "tmp")
            raise FaultError(f"left elsewhere: {left[:5]}")

    def injected(self, case):
        """A command that kills itself between two steps of putting its result in its place."""
        name, where = case.rsplit(": ", 1)
        job = next(job for job in self.jobs if job.name == name)
        folder = self.place / "injected"
        try:
            self.reference(job)
            lay_out(job, self.place / "prepared", folder)
            before = self.state(job, folder)
            code, text = self.wait(self.start(folder, job.words, lambda: arm(where, job.out)), folder)
            if code != -signal.SIGKILL:
                raise FaultError(f"was not killed {where}, ended with {code}: {text[-500:]}")
            self.note(job, folder, before, "injected")
            self.finish(job, folder, before)
        except FaultError as fault:
            self.fault(job, "injected", f"{where}: {fault}")
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def fault(self, job, how, what):
        self.faults.setdefault((job.name, how), []).append(what)
        print(f"FAULT {job.name}, {how}: {what}", flush=True)


def arm(where, out):
    """In the process of a command: die at this place of the replacement of ``out``."""
    from genrec.artifacts import folders

    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    real, rename, renamed = folders.exchange, os.rename, []

    def exchange(first, second):
        if second.name != out:
            return real(first, second)
        if where == "before the exchange":
            die()
        if where == "after the exchange":
            real(first, second)
            die()
        return False  # a system that cannot exchange

    def counted(first, second, **options):
        rename(first, second, **options)
        if out in (Path(first).name, Path(second).name) or f".{out}.new-" in str(second):
            renamed.append(second)
            if len(renamed) == 1 + INJECTED[2:].index(where):
                die()

    folders.exchange = exchange
    if where.startswith("no exchange"):
        os.rename = counted


def write(report):
    RESULTS.mkdir(exist_ok=True)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    made = {"run": own_command(), "commit": commit, "machine": platform.machine()}
    path = RESULTS / "kill-test.json"
    before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() and "--verb" in sys.argv else []
    again = {row["command"] for row in report["rows"]}  # of some verbs alone: the other rows stay
    rows = [row for row in before if row["command"] not in again]
    rows = rows + [row | made for row in report["rows"]]
    path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    runs = list(dict.fromkeys(row["run"] for row in rows))
    (RESULTS / "kill-test.md").write_text(as_page(report | {"rows": rows, "runs": runs}), encoding="utf-8")


def own_command():
    return " ".join(["python scripts/kill_test.py", *sys.argv[1:]])


def as_page(report):
    rows = report["rows"]
    kills = Counter()
    for row in rows:
        kills[row["how"]] += row["kills"]
    faults = sum(row["faults"] for row in rows)
    lines = [
        "# Commands that are killed",
        "",
        f"{kills['SIGKILL']} kills with SIGKILL and {kills['SIGTERM']} with SIGTERM at random moments, "
        f"{kills['injected']} at chosen steps of a replacement; faults: {faults}.",
        "",
        "A fault is: what stands at the output cannot be loaded, or is neither the old nor the new; the same command",
        "run again fails, or ends with other bytes than an uninterrupted run (readings of the clock are not compared);",
        "or a file is left that an uninterrupted run does not leave. *Then* says what stood there after the kill.",
        "",
        *(f"`{run}`" for run in report.get("runs", [own_command()])),
        "",
        "| command | how | kills | then nothing | then old | then unfinished | then new | faults |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [row["command"], row["how"], row["kills"]]
        cells += [row[f"then {name}"] or "" for name in ("nothing", "old", "unfinished", "new")]
        lines.append("| " + " | ".join(str(cell) for cell in [*cells, row["faults"]]) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
