"""Every field of every network's configuration: what it may hold is said by its type, and nothing else gets through."""

import inspect
import json

import pytest
from networks import tiny_index
from support import QWEN

from genrec.errors import ArtifactError, ConfigError
from genrec.generative.config import TrainConfig
from genrec.models import NETWORKS, build_model, find_network, load_model
from genrec.models.config import CodeModelConfig

OWN = sorted(name for name in NETWORKS if find_network(name).__module__.startswith("genrec."))


def kinds(config_class):
    """Field → annotation, as written."""
    found = {}
    for one in reversed(config_class.__mro__):
        if issubclass(one, CodeModelConfig):
            found |= inspect.get_annotations(one, eval_str=True)
    return found


@pytest.mark.parametrize("name", OWN)
def test_numbers_say_what_they_may_be(name):
    assert not [field for field, kind in kinds(find_network(name).config_class).items() if kind in (int, float)]


@pytest.mark.parametrize("name", OWN)
def test_wrong_values_are_refused_by_the_name_of_their_field(name):
    config_class = find_network(name).config_class
    for field, kind in kinds(config_class).items():
        wrong = [object(), 1 + 2j]
        if getattr(kind, "__origin__", None) in (int, float) or kind is bool:
            wrong += ["x", [], float("nan"), float("inf"), -1, None]
        if getattr(kind, "__origin__", None) is int:
            wrong += [True, 1.5, "3"]
        for value in wrong:
            with pytest.raises(ConfigError, match=rf"'{field}"):
                config_class.check({field: value}, "here")


@pytest.mark.parametrize("name", OWN)
def test_defaults_are_values_that_they_may_have(name):
    config_class = find_network(name).config_class
    config_class.check({field: getattr(config_class(), field) for field in config_class.known_fields()}, "here")


@pytest.mark.parametrize(
    "bad", [{"window": 0}, {"dim": "wide"}, {"attention_heads": -1}, {"n_items": 3}, {"vector_dim": 4}]
)
def test_options_of_a_run_are_checked_before_anything_is_built(bad):
    config = TrainConfig.model_validate({"model": {"architecture": "mqsa-ted", "options": bad}})
    with pytest.raises(ConfigError, match=next(iter(bad))):
        find_network("mqsa-ted").fields(config.model, {}, 8)


def test_what_names_files_is_no_option_of_a_language_model():
    options = {"source": {"checkpoint": "elsewhere"}}
    config = TrainConfig.model_validate(
        {"model": {"architecture": "language-model", "checkpoint": "here", "options": options}}
    )
    with pytest.raises(ConfigError, match=r"options.source"):
        find_network("language-model").create(tiny_index(), config)


def test_a_saved_configuration_is_checked_like_settings(tmp_path):
    build_model("latent-steps", (4, 5), backbone=QWEN).save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "halt": "never"}))
    with pytest.raises(ArtifactError, match="'halt'"):
        load_model(tmp_path)
