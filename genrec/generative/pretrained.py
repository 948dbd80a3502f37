"""A pretrained recommender without a catalogue: network and frozen item tokenizer, for any items with texts.

``genrec pretrain`` makes one from many catalogues. With an index that was built with its quantizer it recommends at
once (zero-shot); ``genrec train --init`` goes on training from its weights (few-shot).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrec.artifacts import atomic_dir, read_json, read_manifest, read_whole, write_manifest
from genrec.artifacts.hub import at_hand
from genrec.config import parse, read_yaml, write_yaml
from genrec.data.catalog import Catalog
from genrec.data.histories import Histories
from genrec.errors import ArtifactError, ConfigError
from genrec.generative.belonging import load_described
from genrec.generative.config import TrainConfig
from genrec.generative.prior_experience import PriorExperience
from genrec.generative.recommender import GenerativeRecommender
from genrec.index.item_tokenizer import ItemTokenizer
from genrec.index.recipe import TokenizerRecipe
from genrec.index.semantic_index import SemanticIndex
from genrec.models import CodeModel
from genrec.models.portable import PortableModel
from genrec.pages import card
from genrec.recommender import MANIFEST
from genrec.trust import trusting, trusts_remote_code
from genrec.wording import count

if TYPE_CHECKING:
    from genrec.encoders.precomputed import Files

KIND = "foundation"
_EXPERIENCE = "prior.json"


class FoundationModel:
    """Network and item tokenizer.

    Args:
        model: Its weights fit every catalogue that ``tokenizer`` encodes.
        tokenizer: Fitted on the catalogues of pretraining, frozen.
        config: Settings; ``config.generation`` holds the defaults of decoding.
        metrics: What pretraining measured.
        experience: What counts of some users' transitions added on the catalogues of pretraining; None: not measured.
    """

    def __init__(
        self,
        model: PortableModel,
        tokenizer: ItemTokenizer,
        config: TrainConfig,
        metrics: dict[str, Any] | None = None,
        experience: PriorExperience | None = None,
    ) -> None:
        self.model, self.tokenizer, self.config, self.metrics = model, tokenizer, config, metrics or {}
        self.experience = experience

    def __repr__(self) -> str:
        size = f"{self.config.model.architecture}, {count(self.model.num_parameters(), 'parameter')}"
        names = ", ".join(str(domain["name"]) for domain in self.metrics.get("domains", []))
        return f"FoundationModel({size}; {self.tokenizer!r}{f'; pretrained on {names}' if names else ''})"

    def build_index(
        self,
        catalog: Catalog,
        train: Histories | None = None,
        *,
        recipe: TokenizerRecipe | None = None,
        vectors_from: Files | None = None,
    ) -> SemanticIndex:
        """The semantic index of any catalogue in the codes that the network speaks; nothing is trained.

        Args:
            catalog: The items.
            train: Training histories, only to put popular items first where codes collide.
            recipe: The tokenizer's recipe with other settings of the encoder.
            vectors_from: Files with the items' vectors, where the encoder is ``precomputed``.
        """
        chosen = recipe or self.tokenizer.recipe
        return SemanticIndex.build(catalog, chosen, train=train, tokenizer=self.tokenizer, vectors_from=vectors_from)

    def recommender(self, index: SemanticIndex | None) -> GenerativeRecommender:
        """A zero-shot recommender for the items of an index, as many as wanted: they share the weights.

        Raises:
            ArtifactError: There is no index, or it was built with another quantizer.
        """
        if index is None:
            raise ArtifactError(
                "A pretrained recommender has no catalogue of its own.",
                expected="an index",
                hint="Build one with genrec index build ITEMS --quantizer MODEL --out INDEX, and name it: "
                "genrec generate MODEL HISTORIES --index INDEX.",
            )
        self.check(index)
        return GenerativeRecommender(self.model.twin(), index, self.config, dict(self.metrics))

    def check(self, index: SemanticIndex) -> None:
        """Refuse an index that was built with another quantizer.

        Raises:
            ArtifactError: The codes mean something else.
        """
        if index.tokenizer.quantizer_fingerprint != self.tokenizer.quantizer_fingerprint:
            raise ArtifactError(
                "The index was built with another quantizer than the pretrained recommender's, so its codes mean "
                "something else.",
                expected=f"quantizer {self.tokenizer.quantizer_fingerprint[:12]}",
                hint="Build the index with genrec index build ITEMS --quantizer MODEL.",
            )

    def save_pretrained(self, folder: Path | str, *, overwrite: bool = False) -> None:
        """Write a self-contained folder: model, tokenizer, settings, metrics, card.

        Raises:
            ArtifactError: The folder exists and ``overwrite`` is false.
        """
        with atomic_dir(folder, overwrite=overwrite) as work:
            self.model.save_pretrained(work / "model")
            self.tokenizer.save(work / "tokenizer")
            write_yaml(work / "config.yaml", self.config)
            (work / "metrics.json").write_text(json.dumps(self.metrics, indent=2) + "\n", encoding="utf-8")
            if self.experience is not None:
                self.experience.save(work / _EXPERIENCE)
            (work / "README.md").write_text(self._card(), encoding="utf-8")
            content = {
                "kind": KIND,
                "architecture": self.config.model.architecture,
                "quantizer_fingerprint": self.tokenizer.quantizer_fingerprint,
                "run": self.metrics.get("run"),
            }
            write_manifest(work, MANIFEST, content)

    @classmethod
    def from_pretrained(
        cls,
        folder: Path | str,
        *,
        trust_remote_code: bool = False,
        revision: str | None = None,
        token: str | None = None,
    ) -> FoundationModel:
        """Load a folder written by :meth:`save_pretrained`.

        Args:
            folder: The pretrained recommender; or the id of a repository of the hub, such as ``name/repo``.
            trust_remote_code: Run the Python code that its item encoder brings, when an index is built with it. What
                the folder says about that is not read.
            revision: Branch, tag or commit of the repository.
            token: For private repositories; that of ``hf auth login`` where not given.

        Raises:
            ArtifactError: The folder is missing or damaged, or holds another kind of recommender.
            ConfigError: A revision of a folder.
        """
        folder = at_hand(folder, "pretrained recommender", revision, token)

        def load() -> FoundationModel:
            with trusting(trust_remote_code or trusts_remote_code()):
                return cls._load(folder)

        return read_whole(folder, "recommender", load)

    @classmethod
    def _load(cls, folder: Path) -> FoundationModel:
        manifest = read_manifest(folder, MANIFEST, "recommender")
        if manifest.get("kind") != KIND:
            raise ArtifactError(
                "This is no pretrained recommender.", where=folder, expected="a folder of genrec pretrain"
            )
        config = parse(TrainConfig, read_yaml(folder / "config.yaml"), where=folder / "config.yaml")
        model = load_described(manifest, config)
        if not isinstance(model, PortableModel):
            raise ArtifactError(f"A network of type {type(model).__name__} cannot change catalogues.", where=folder)
        model.eval()
        metrics = read_json(folder / "metrics.json")
        experience = PriorExperience.load(folder / _EXPERIENCE)
        return cls(model, ItemTokenizer.load(folder / "tokenizer"), config, metrics, experience)

    def _card(self) -> str:
        context = {
            "architecture": self.config.model.architecture,
            "parameters": self.model.num_parameters(),
            "sizes": list(self.model.codebook_sizes[: self.model.slots]),
            "quantizer": self.tokenizer.quantizer_fingerprint[:12],
            "domains": self.metrics.get("domains", []),
            "trials": [] if self.experience is None else self.experience.trials,
        }
        return card(Path(__file__).parent / "pretrained.md.jinja", context)


def read_experience(folder: Path | str | None) -> PriorExperience | None:
    """What a pretrained recommender knows about counts; None without a folder, or where nothing was measured.

    Raises:
        ArtifactError: The folder is no recommender; it has gone since training, for instance.
    """
    if folder is None:
        return None
    place = Path(folder)

    def load() -> PriorExperience | None:
        read_manifest(place, MANIFEST, "recommender")
        return PriorExperience.load(place / _EXPERIENCE)

    return read_whole(place, "recommender", load)


def pretrained_network(config: TrainConfig, index: SemanticIndex) -> CodeModel:
    """The network of the folder ``config.init``, with the dropout of ``config``.

    Raises:
        ArtifactError: It does not speak the codes of the index.
        ConfigError: The settings describe another network.
    """
    pretrained = FoundationModel.from_pretrained(str(config.init))
    pretrained.check(index)
    own, wanted = pretrained.config.model, config.model
    for name in ("architecture", "backbone", "item_vectors"):
        if getattr(own, name) != getattr(wanted, name):
            raise ConfigError(
                f"The pretrained network has another model.{name}.",
                where=f"model.{name}",
                expected=str(getattr(own, name)),
                hint=f"Take these settings from {config.init}/config.yaml (or genrec train without --config).",
            )
    pretrained.model.set_dropout(wanted.dropout)
    return pretrained.model.train()
