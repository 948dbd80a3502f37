"""Expressions that come with adapters and models: bounded, or refused before a library matches them."""

import pytest

from genrec.errors import ArtifactError, ConfigError
from genrec.models.patterns import check_adapter_patterns, check_quantization_patterns, is_bounded

BOUNDED = [
    "q_proj",
    r"(?:model\.layers\.0\.q_proj|model\.layers\.1\.k_proj)",
    "q_proj|k_proj",
    r".*\.layers\.\d+\.q_proj$",
    "^(q|k)_proj$",
    r"model\.layers\.[0-9]+\.(?:up|down)_proj",
]
UNBOUNDED = [
    "(a+)+$",
    "(a|a)*b",
    "(.*)*x",
    ".*.*.*.*x",
    "(?:a|a)(?:a|a)(?:a|a)b",
    "((a))",
    "a{1,9999}",
    r"(a)\1",
    "(?=a)",
    "",
    "(?:a",
    "a**",
    "x" * 2_000_000,
]


@pytest.mark.parametrize("text", BOUNDED)
def test_names_and_short_expressions_are_taken(text):
    assert is_bounded(text)
    check_adapter_patterns({"target_modules": text, "rank_pattern": {text: 4}}, "here")
    check_quantization_patterns({"quantization_config": {"modules_to_not_convert": [text], "bits": 4}}, "here")


@pytest.mark.parametrize("text", UNBOUNDED, ids=range(len(UNBOUNDED)))
def test_whatever_could_take_for_ever_is_refused(text):
    assert not is_bounded(text)
    for settings in (
        {"target_modules": text or "(a+)+"},
        {"exclude_modules": text or "(a+)+"},
        {"layers_pattern": [text]},
        {"rank_pattern": {text: 4}},
        {"alpha_pattern": {text: 4}},
        {"modules_to_save": [text]},
    ):
        with pytest.raises(ArtifactError, match=next(iter(settings))):
            check_adapter_patterns(settings, "adapter_config.json")
        with pytest.raises(ConfigError):
            check_adapter_patterns(settings, "model.llm.lora", ConfigError)
    for key in ("modules_to_not_convert", "llm_int8_skip_modules"):
        with pytest.raises(ArtifactError, match=key):
            check_quantization_patterns({"quantization_config": {"deep": {key: [f"re:{text}"]}}}, "config.json")


def test_what_is_no_expression_is_left_alone():
    check_adapter_patterns({"target_modules": ["q_proj"], "r": 8, "rank_pattern": {}, "modules_to_save": None}, "x")
    check_quantization_patterns({"quantization_config": {"quant_method": "(a+)+", "bits": 4}}, "x")
    check_quantization_patterns({}, "x")
    with pytest.raises(ArtifactError):
        check_adapter_patterns({"modules_to_save": [3]}, "x")
