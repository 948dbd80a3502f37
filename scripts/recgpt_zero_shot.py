"""RecGPT on catalogues that it has never seen: leave one domain out, few-shot, ablations, cost.

    python scripts/recgpt_zero_shot.py DATA_FOLDER --stages zero-shot few-shot ablation cost

Every stage writes its table after every step and leaves out what is there already. Pretrained models go to --work.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from recgpt_experiment import (
    DOMAINS,
    NO_WORDS,
    RATE,
    RESULTS,
    SHARES,
    STAGES,
    TEXT,
    VARIANTS,
    WORDS,
    Experiment,
    command,
    commit,
    of_users,
    say,
)

from genrec.training.pretrain import pretrain
from genrec.training.pretrain_config import load_pretrain_config


def main() -> None:
    options = parse()
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    if options.threads:
        torch.set_num_threads(options.threads)
    experiment = Experiment(options)
    stages = {"zero-shot": zero_shot, "sasrec": sasrec, "few-shot": few_shot, "ablation": ablation, "cost": cost}
    for stage in options.stages:
        say(stage)
        stages[stage](experiment)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--domains", nargs="+", default=list(DOMAINS), help="all of them, in the order of testing")
    parser.add_argument("--held-out", nargs="+", help="only these are held out (default: every one in turn)")
    parser.add_argument("--users", type=int, default=5000, help="test and validation cases of a domain; 0: all")
    parser.add_argument("--beams", type=int, default=50)
    parser.add_argument("--steps", type=int, default=80, help="of pretraining")
    parser.add_argument("--ablation-domain", default="minionerec-industrial")
    parser.add_argument("--ablation-steps", type=int, default=80)
    parser.add_argument("--few-shot-domains", nargs="+", default=["minionerec-industrial", "amazon2014-beauty"])
    parser.add_argument("--few-shot-shares", nargs="+", type=float, default=[0.1, 0.01, 0.03, 0.3, 1.0])
    parser.add_argument(
        "--few-shot-seeds", nargs="*", type=int, default=[1, 2, 3, 4], help="other samples of a tenth of the users"
    )
    parser.add_argument("--few-shot-steps", type=int, default=1500, help="of pretraining without text pooling")
    parser.add_argument(
        "--few-shot-kinds", nargs="+", default=["", "+counts+words"], help="what is added to the network"
    )
    parser.add_argument("--few-shot-default-only", action="store_true", help="leave out the one without text pooling")
    parser.add_argument("--seconds", type=float, default=900, help="most time of SASRec for choosing and training")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="settings of pretraining")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="of torch")
    parser.add_argument("--work", type=Path, default=Path("runs/recgpt-zero-shot"))
    parser.add_argument("--out", type=Path, default=RESULTS)
    return parser.parse_args()


def zero_shot(experiment: Experiment) -> None:
    for name in experiment.held_out:
        split = experiment.split(name)
        for baseline in ("popularity", "repeat-last", *TEXT, *WORDS):
            experiment.once(
                "recgpt-zero-shot", name, baseline, lambda b=baseline, s=split, n=name: experiment.baseline(b, s, n)
            )
        for share in SHARES:
            part = of_users(split, share, experiment.options.seed)
            experiment.once(
                "recgpt-zero-shot",
                name,
                f"transition-counts-{share:.0%}",
                lambda p=part, n=name: experiment.baseline("transition-counts", p, n),
            )
        foundation, index = experiment.pretrained(name)
        for decoding in ("exact", "beam"):
            for suffix, words in (("", {}), ("-without-words", {"words": 0.0})):
                experiment.once(
                    "recgpt-zero-shot",
                    name,
                    f"recgpt-zero-shot-{decoding}{suffix}",
                    lambda d=decoding, f=foundation, i=index, w=words: experiment.recgpt(f.recommender(i), d, **w),
                )


def sasrec(experiment: Experiment) -> None:
    for name in experiment.held_out:
        split = experiment.split(name)
        for share in SHARES:
            part = of_users(split, share, experiment.options.seed)
            experiment.once(
                "recgpt-zero-shot",
                name,
                f"sasrec-{share:.0%}",
                lambda p=part, n=name: experiment.baseline("sasrec", p, n),
            )


def few_shot(experiment: Experiment) -> None:
    from recgpt_few_shot import FewShot

    for name in experiment.options.few_shot_domains:
        FewShot(experiment, name).run()


def ablation(experiment: Experiment) -> None:
    name, steps = experiment.options.ablation_domain, experiment.options.ablation_steps
    for variant, change in VARIANTS.items():
        table = "recgpt-ablation"
        if not experiment.there(table, name, f"{variant}-beam"):
            say(f"{variant}")
            settings = [f"trainer.max_steps={steps}", RATE, f"seed={experiment.options.seed}", "prior_shares=[]"]
            settings += [NO_WORDS]
            settings += [*experiment.options.set, *change]
            config = load_pretrain_config("recgpt-pretrain", settings)
            foundation = pretrain(experiment.others(name), config, experiment.options.work / f"ablation-{variant}")
            index = foundation.build_index(experiment.domains[name].catalog)
            for decoding in ("exact", "beam"):
                experiment.once(
                    table,
                    name,
                    f"{variant}-{decoding}",
                    lambda d=decoding, f=foundation, i=index: experiment.recgpt(f.recommender(i), d),
                )


def cost(experiment: Experiment) -> None:
    from recgpt_cost import cost_page, decoding_rows, pretraining_rows
    from tokenizer_common import write_rows

    made = pretraining_rows(experiment.options.work)
    for row in decoding_rows(experiment.config, beams=experiment.options.beams, seed=experiment.options.seed):
        made.append(row)
        content = [{**one, "command": command(experiment.options), "commit": commit()} for one in made]
        write_rows(experiment.options.out, "recgpt-cost", content, cost_page(content))


if __name__ == "__main__":
    main()
