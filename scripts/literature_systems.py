"""Systems of the literature: where their component is, what they extend, how they are measured."""

from __future__ import annotations

from dataclasses import dataclass

PLAIN, LORA, READER = "item-decoder-small", "llm-decoder-lora", "llm-text-encoder"
MODELS, OBJECTIVES = "genrec/models/literature/", "genrec/training/objectives/"
LLM = "genrec/models/llm/"
NOTHING = "0"
UNTUNED = "llm2rec-untuned"
"""Name of the recipe rq-kmeans-3x256-llm2rec with no steps of tuning: the same language model as it comes."""


@dataclass(frozen=True)
class Setup:
    """One system.

    Attributes:
        base: Preset of the network that it extends, None for one that is extended.
        title: What the paper calls it.
        component: Files of the component, of which lines are counted.
        test: File with the property test.
        elsewhere: What had to be touched outside of its files: nothing, or the extension point that was mended.
        paper: What the paper claims, in short.
        changes: Settings beside the preset's own when it is measured.
        base_codes: Recipe whose codes the base has, where codes are what the system is about.
    """

    base: str | None
    title: str = ""
    component: tuple[str, ...] = ()
    test: str = ""
    elsewhere: str = NOTHING
    paper: str = ""
    changes: tuple[str, ...] = ()
    base_codes: str = ""


def network(
    name: str, title: str, file: str, elsewhere: str = NOTHING, paper: str = "–", *, objective: str = ""
) -> tuple[str, Setup]:
    """A network of item sequences, with an objective of its own where it has one."""
    test = f"tests/models/literature/test_{file}.py"
    files = (f"{MODELS}{file}.py", *([f"{OBJECTIVES}{objective}.py"] if objective else []))
    return name, Setup(PLAIN, title, files, test, elsewhere, paper)


def terms(name: str, title: str, file: str, test: str, elsewhere: str = NOTHING, paper: str = "–") -> tuple[str, Setup]:
    """An objective on a network that is there."""
    return name, Setup(PLAIN, title, (f"{OBJECTIVES}{file}.py",), f"tests/training/objectives/{test}", elsewhere, paper)


def language(
    name: str,
    title: str,
    files: tuple[str, ...],
    test: str,
    paper: str = "–",
    elsewhere: str = NOTHING,
    base: str = LORA,
) -> tuple[str, Setup]:
    """A network around a language model; a checkpoint has to be named when it is measured."""
    return name, Setup(base, title, files, f"tests/models/llm/test_{test}.py", elsewhere, paper)


TITLES = tuple(f"{LLM}title_{part}.py" for part in ("likelihood", "paths", "reader", "search"))
STATES = "outputs say their states"
FASTER = "code and mathematics about 5 times as fast"
STARTS, SETS = "a way to start rows", "no order of the candidates matters"
REAREC = "a ceiling 30 to 50 % higher"
SYSTEMS: dict[str, Setup] = dict(
    [
        *((name, Setup(None)) for name in (PLAIN, LORA, READER)),
        network("discrec", "DiscRec", "discrec", "hook `tokens` of the item decoder", "Beauty Recall@5 .0513"),
        network("setrec", "SETRec", "setrec", "base of networks that score items", "15 to 20 times as fast as tokens"),
        network("h2rec", "H2Rec", "h2rec", "cross-attention of two views", "better for popular and for rare items"),
        network("interval-decoder", "IntervalLLM", "interval", "times reach networks", "4.4 % over baselines"),
        network("reg4rec", "REG4Rec", "reg4rec", "1 line", "5.6 % more revenue online"),
        network("intrr", "IntRR, the input", "intrr", "batches with positions of items", "up to 63 % over baselines"),
        network("mqsa-ted", "MQSA-TED", "mqsa_ted", paper="better on four data sets"),
        network("rearec-ensemble", "ReaRec, ensemble", "latent_steps", STATES, REAREC, objective="reasoning"),
        network("rearec-progressive", "ReaRec, progressive", "latent_steps", STATES, REAREC, objective="reasoning"),
        network("mancar", "ManCAR", "latent_steps", STATES, "up to 46.9 %", objective="neighbour_steps"),
        network("dtrec", "DTRec", "latent_steps", STATES, "up to 24.5 %", objective="prefix_steps"),
        network("stream-rec", "STREAM-Rec", "thought_tokens", "hooks `write` and `begin` of the item decoder"),
        terms("colarec", "ColaRec", "colarec", "test_alignment.py", STATES),
        terms("rlmrec", "RLMRec", "text_alignment", "test_alignment.py", STATES),
        terms("molar", "Molar", "text_alignment", "test_alignment.py", STATES),
        terms("sra-cl", "SRA-CL", "text_neighbours", "test_alignment.py", STATES),
        terms("slmrec", "SLMRec", "block_distill", "test_block_distill.py", STATES, "6.6 times as fast to train"),
        terms("lorec", "LoRec", "lorec", "test_lorec.py", STATES),
        (
            "memgen",
            Setup(
                PLAIN,
                "MemGen, the blend",
                ("genrec/training/prior_blend.py",),
                "tests/training/test_prior_blend.py",
                "a blend among the settings of counts",
            ),
        ),
        (
            "llm2rec",
            Setup(
                PLAIN,
                "LLM2Rec",
                ("genrec/encoders/llm2rec.py", "genrec/encoders/llm2rec_model.py"),
                "tests/encoders/test_llm2rec.py",
                paper="better in and out of the domain of its training",
                base_codes=UNTUNED,
            ),
        ),
        (
            "llm4dsr",
            Setup(
                PLAIN,
                "LLM4DSR",
                ("genrec/training/transforms/llm4dsr.py",),
                "tests/training/transforms/test_llm4dsr.py",
                "transforms of training histories",
                "better on three data sets with three recommenders",
            ),
        ),
        language(
            "ts-rec",
            "TS-Rec, the start",
            ("genrec/prompts/keywords.py",),
            "keyword_start",
            elsewhere="a way to start rows",
        ),
        language("labor-llm", "LABOR-LLM", TITLES, "title_likelihood"),
        language("llara", "LLaRA", (f"{LLM}soft_items.py",), "soft_items", "best HitRatio@1 on three data sets"),
        language("mender", "Mender", (f"{LLM}mender.py",), "mender", base=READER),
        language("multi-token", "multi-token prediction", (f"{LLM}mask_slots.py",), "mask_slots", FASTER),
        language(
            "set-prompting", "Set-Based Prompting", (f"{LLM}candidate_set.py",), "candidate_set", "no order matters"
        ),
    ]
)
"""Preset → system, in the order in which they are measured: first what others extend."""
