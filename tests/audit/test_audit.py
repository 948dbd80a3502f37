"""The audit finds what was planted, says what it means, and stays silent where there is nothing."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from genrec.audit import GRADES, audit
from genrec.audit.order import shuffled
from genrec.data.catalog import Catalog
from genrec.data.check import check_tables
from genrec.data.histories import Histories
from genrec.data.interactions import Interactions
from genrec.data.split import EvaluationSet, leave_one_out
from genrec.errors import ConfigError, DataError

N_ITEMS = 60
START = 1_500_000_000
CATALOG = Catalog.from_frame(
    pl.DataFrame(
        {
            "item_id": [f"i{n}" for n in range(N_ITEMS)],
            "title": [f"colour{n % 6} shape{n // 6} thing{n} of kind{n % 7} and size{n % 11}" for n in range(N_ITEMS)],
        }
    )
)


def walks(users=150, seed=0, longest=12, noise=0.3):
    """Sequences of distinct items that mostly walk to the next one."""
    rng = np.random.default_rng(seed)
    sequences = []
    for _ in range(users):
        item, seen = int(rng.integers(N_ITEMS)), []
        for _ in range(rng.integers(6, longest)):
            while item in seen:
                item = int(rng.integers(N_ITEMS))
            seen.append(item)
            item = int(rng.integers(N_ITEMS)) if rng.random() < noise else (item + 1) % N_ITEMS
        sequences.append(seen)
    return sequences


def table(sequences, times=True, step=5_000):
    rng = np.random.default_rng(1)
    begins = START + rng.integers(0, 10**7, len(sequences))
    rows = [
        (f"u{user}", f"i{item}", int(begins[user] + step * place))
        for user, items in enumerate(sequences)
        for place, item in enumerate(items)
    ]
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    return frame if times else frame.drop("timestamp")


def run(frame, **options):
    return audit(CATALOG, Interactions.from_frame(frame), **{"vectors": None, **options})


@pytest.fixture(scope="module")
def clean():
    return run(table(walks()), vectors="lsa")


def test_a_clean_set_raises_no_alarm(clean):
    assert not clean.graded("serious")
    assert "Nothing was found that makes figures on it meaningless" in clean.verdict()
    for check in ("duplicated-events", "leaked-targets", "shared-cases", "equal-times", "copying"):
        assert clean.finding(check).grade == "fine", clean.finding(check)
    assert clean.finding("repeats").figures["repeat_rate"] == 0
    assert 0.1 < clean.finding("order").figures["lost_share"] < 0.5
    assert "Part of the score" in clean.finding("order").text


def test_the_verdict_names_the_shortcut_that_solves_the_set(clean):
    assert clean.shortcuts[0].name.startswith("transition-counts")
    assert clean.shortcuts[0].recall > 0.2
    assert "solve this dataset" in clean.verdict()
    assert "transition-counts (." in clean.verdict()
    rng = np.random.default_rng(3)
    random = run(table([rng.permutation(N_ITEMS)[:8].tolist() for _ in range(300)]))
    assert random.verdict().startswith("No shortcut solves")
    assert random.finding("order").grade == "caution"
    assert "no gain from the order" in random.finding("order").text


@pytest.mark.parametrize("with_times", [True, False])
def test_thirty_percent_duplicated_events_are_caught(with_times):
    frame = table(walks(), times=with_times).with_row_index("row")
    again = frame.sample(fraction=0.3, seed=0)
    doubled = pl.concat([frame, again]).sort("row", maintain_order=True).drop("row")
    finding = run(doubled).finding("duplicated-events")
    assert finding.grade == "serious"
    share = finding.figures["copies_share" if with_times else "in_a_row_share"]
    assert share == pytest.approx(0.3 / 1.3, abs=0.01)
    assert "23.1 %" in finding.text


def leaky(kind):
    histories = Interactions.from_frame(table(walks())).histories(CATALOG)
    split = leave_one_out(histories)
    if kind == "whole histories":  # nobody removed the held-out events
        return replace(split, train=histories)
    if kind == "test targets":  # the targets were appended to training
        rows = [[*train, target] for train, target in zip(split.train, split.test.targets, strict=True)]
        return replace(split, train=Histories.from_lists(rows, split.train.user_ids.tolist()))
    rng = np.random.default_rng(5)  # events were drawn at random, whatever their time
    keep = rng.random(len(histories.items)) < 0.8
    train = histories.take(keep)
    held = np.flatnonzero(~keep & (np.arange(len(keep)) > histories.offsets[:-1].repeat(histories.lengths)))
    owners = np.searchsorted(histories.offsets, held, side="right") - 1
    before = histories.cut(histories.offsets[owners], held, owners)
    cases = EvaluationSet(before, histories.items[held], histories.timestamps[held])
    return replace(split, train=train, test=cases, validation=cases.select(np.arange(5)), name="random")


@pytest.mark.parametrize("kind", ["whole histories", "test targets", "random events"])
def test_a_leaky_split_is_caught(kind):
    interactions = Interactions.from_frame(table(walks()))
    found = audit(CATALOG, interactions, split=leaky(kind), vectors=None)
    finding = found.finding("leaked-targets")
    assert finding.grade == "serious"
    assert finding.figures["cases_with_future"] > 0.5
    if kind != "random events":
        assert finding.figures["leaked_targets"] == 1.0
        assert "100.0 % of the test cases" in finding.text
    else:
        assert found.finding("shared-cases").grade == "serious"
    assert "test events in training" in found.verdict()


def test_natural_repeats_are_no_leak():
    """The target was had before: it is in training and in the history, and nothing is wrong with that."""
    rng = np.random.default_rng(2)
    sequences = [rng.integers(0, 5, 9).tolist() for _ in range(100)]
    found = run(table(sequences))
    assert found.finding("leaked-targets").grade == "fine"
    assert found.finding("repeats").figures["target_in_history"] > 0.5
    assert found.finding("repeats").grade == "serious"


def test_training_after_a_test_by_time_is_told():
    frame = table(walks())
    by_time = run(frame, split="global-time", options={"validation_from": 0.7, "test_from": 0.85})
    assert by_time.finding("training-after-test").grade == "fine"
    assert by_time.finding("cold-start").figures["cold_users"] > 0
    left_out = run(frame)
    assert left_out.finding("training-after-test").grade == "caution"
    assert "Leave-one-out does this by nature" in left_out.finding("training-after-test").advice
    shifted = leave_one_out(Interactions.from_frame(frame).histories(CATALOG))
    wrong = run(frame, split=replace(shifted, name="global-time"))
    assert wrong.finding("training-after-test").grade == "serious"


def test_copying_the_last_item_is_found():
    sequences = [[item for item in walk for _ in range(2)] for walk in walks(noise=0.9)]
    found = run(table(sequences))
    assert found.finding("copying").grade == "serious"
    assert found.finding("copying").figures["recall@1"] == 1.0
    assert "repeat-last" in found.verdict()
    assert found.finding("duplicated-events").figures["in_a_row_share"] == pytest.approx(0.5, abs=0.01)


def test_row_order_inside_equal_times_is_found_out():
    """Baskets listed in one fixed order: in the file they look predictable, at one time they are sets."""
    rng = np.random.default_rng(4)
    sequences = [np.sort(rng.permutation(N_ITEMS)[:12]).tolist() for _ in range(400)]
    found = run(table(sequences, step=0))
    assert found.finding("equal-times").grade == "serious"
    assert found.finding("equal-times").figures["tied_targets"] == 1.0
    finding = found.finding("equal-times")
    assert finding.figures["random_ties_recall@10"] < 0.7 * finding.figures["recall@10"]
    assert "equal times" in found.verdict()
    assert sum("equal times" in one.title.lower() for one in found.findings) == 1


def test_equal_times_that_do_no_harm_are_said_once():
    """Everything is tied, but the order inside a time means nothing: one finding, and no "serious" beside a "fine"."""
    rng = np.random.default_rng(7)
    random = run(table([rng.permutation(N_ITEMS)[:8].tolist() for _ in range(400)], step=0))
    finding = random.finding("equal-times")
    assert finding.grade == "caution"
    assert "no sign that the order" in finding.text
    assert [one.check for one in random.findings].count("equal-times") == 1
    assert "order-of-ties" not in {one.check for one in random.findings}


def test_equal_times_are_counted_as_the_check_of_data_counts_them(tmp_path):
    """Also where the catalogue lacks items: both count the rows of the table."""
    sequences = walks(80)
    frame = table(sequences, step=0)
    frame = pl.concat([frame, frame[:20].with_columns(item_id=pl.lit("unknown"))])
    frame.write_csv(tmp_path / "events.csv")
    CATALOG.frame.write_csv(tmp_path / "items.csv")
    checked = check_tables(tmp_path / "items.csv", tmp_path / "events.csv")
    counted = next(one.count for one in checked.problems if one.kind == "equal-timestamps")
    found = run(frame).finding("equal-times")
    assert found.figures["tied_rows"] == counted
    assert f"({found.figures['tied_rows']:,})" in found.text


def test_what_is_read_and_what_is_kept_is_said(monkeypatch):
    monkeypatch.setattr("genrec.audit.material.SAMPLE", 40)
    found = run(table([[item for item in walk for _ in range(2)] for walk in walks()]))
    assert "a fixed sample of 40 of the 150 test cases" in found.markdown()
    events = sum(map(len, walks()))
    assert f"Repeats in a row are kept here ({events:,} events)" in found.facts_line()
    usual = run(table(walks(40)))
    assert "sample" not in usual.facts_line()
    assert "Repeats" not in usual.facts_line()


def test_an_order_that_is_all_there_is_is_said_so():
    found = run(table(walks(), times=False))
    finding = found.finding("equal-times")
    assert "Only the order" in finding.text
    assert all(finding.check != "training-after-test" for finding in found.findings)


def test_the_same_person_under_two_ids_is_found():
    sequences = walks(100)
    found = run(table(sequences + sequences[:50]))
    finding = found.finding("copied-sequences")
    assert finding.grade == "serious"
    assert finding.figures["equal_users"] == pytest.approx(100 / 150)


def test_items_with_one_text_are_found():
    titles = ["Blue cup of clay and wood"] * 12 + [
        f"Red pot number {n} of metal and glass" for n in range(N_ITEMS - 12)
    ]
    catalog = Catalog(CATALOG.frame.with_columns(title=pl.Series(titles)))
    finding = audit(catalog, Interactions.from_frame(table(walks()))).finding("near-duplicates")
    assert finding.figures["identical_items"] == pytest.approx(12 / N_ITEMS)
    assert finding.figures["near_items"] == pytest.approx(12 / N_ITEMS)
    assert finding.grade == "caution"


def test_texts_that_follow_each_other_are_smooth():
    smooth = Catalog(CATALOG.frame.with_columns(title=pl.Series([f"kind {n // 10} item {n}" for n in range(N_ITEMS)])))
    finding = audit(smooth, Interactions.from_frame(table(walks()))).finding("smoothness")
    assert finding.figures["consecutive_cosine"] > finding.figures["random_cosine"] + 0.1
    assert "closer than chance" in finding.text


def test_without_texts_or_vectors_the_rest_is_checked():
    bare = Catalog(CATALOG.frame.select("item_id"))
    for options in ({}, {"vectors": None}, {"vectors": "none"}):
        found = audit(bare, Interactions.from_frame(table(walks(80))), **options)
        assert found.vectors == "none"
        assert not {"text-of-last-item", "words-of-history"} & {one.name for one in found.shortcuts}
        assert all(one.check != "zero-shot" for one in found.findings)
        assert found.finding("near-duplicates").figures["without_text"] == 1.0


def test_texts_that_say_less_than_popularity_are_warned_of():
    rng = np.random.default_rng(3)
    weights = 1 / np.arange(1, N_ITEMS + 1)
    popular = [rng.choice(N_ITEMS, 7, replace=False, p=weights / weights.sum()).tolist() for _ in range(150)]
    words = pl.Series([f"word{n * 7 % 60} word{n * 11 % 60} word{n * 13 % 60}" for n in range(N_ITEMS)])
    catalog = Catalog(CATALOG.frame.with_columns(title=words))
    finding = audit(catalog, Interactions.from_frame(table(popular))).finding("zero-shot")
    assert finding.grade == "caution"
    assert finding.figures["recall@10"] < finding.figures["popularity"]
    kinds = [[10 * (user % 6) + int(n) for n in rng.choice(10, 7, replace=False)] for user in range(150)]
    catalog = Catalog(CATALOG.frame.with_columns(title=pl.Series([f"kind{n // 10}" for n in range(N_ITEMS)])))
    assert audit(catalog, Interactions.from_frame(table(kinds))).finding("zero-shot").grade == "fine"


def test_given_vectors_and_wrong_ones():
    interactions = Interactions.from_frame(table(walks(80)))
    found = audit(CATALOG, interactions, vectors=np.eye(N_ITEMS))
    assert found.vectors == "given vectors"
    with pytest.raises(DataError, match="item vectors have shape"):
        audit(CATALOG, interactions, vectors=np.eye(3))
    with pytest.raises(ConfigError, match="kind of item vectors"):
        audit(CATALOG, interactions, vectors="lsi")


def test_the_report_is_readable_and_json(clean):
    content = json.loads(json.dumps(clean.to_dict(), allow_nan=False))
    assert {finding["grade"] for finding in content["findings"]} <= set(GRADES)
    page = clean.markdown("Toy")
    assert page.startswith("# Toy\n")
    assert all(finding.text in page for finding in clean.findings)
    places = [list(GRADES).index(finding.grade) for finding in clean.findings]
    assert places == sorted(places)


def test_the_same_seed_gives_the_same_audit(clean):
    again = run(table(walks()), vectors="lsa").to_dict()
    assert {**again, "seconds": 0} == {**clean.to_dict(), "seconds": 0}


def test_steps_are_counted():
    seen = []
    run(table(walks(60)), progress=lambda *now: seen.append(now))
    assert seen == [("auditing", done, len(seen)) for done in range(1, len(seen) + 1)]


def test_shuffling_keeps_users_and_ties():
    times = np.array([1, 1, 1, 2, 2, 9], dtype=np.int64)
    histories = Histories(np.array(["a"], dtype=object), np.array([0, 6]), np.arange(6, dtype=np.int32), times)
    within = shuffled(histories, np.random.default_rng(0), within_ties=True)
    assert sorted(within.items[:3].tolist()) == [0, 1, 2]
    assert within.items[5] == 5
    assert sorted(shuffled(histories, np.random.default_rng(0)).items.tolist()) == list(range(6))
