"""Prompts as tokens: the budget, the labels, the chat, padding."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from text_support import CHAT, make_items, make_tokenizer

from genrec.data.histories import Histories
from genrec.errors import ConfigError, DataError, ModelError
from genrec.prompts import ItemTexts, PromptRenderer, Sample, load_task, task_names
from genrec.prompts.rendering import IGNORE

DECODER = make_tokenizer(chat=CHAT)
T5 = make_tokenizer(ends_texts=True)
ITEMS, T5_ITEMS = make_items(DECODER), make_items(T5)
TIMES = 1_700_000_000 + 86_400 * np.arange(100)


def renderer(name="next-item", seq2seq=False, **options):
    tokenizer, items = (T5, T5_ITEMS) if seq2seq else (DECODER, ITEMS)
    return PromptRenderer(load_task(name), items, tokenizer, seq2seq=seq2seq, **options)


def sample(task, length=3, target=4):
    history = np.arange(length) % 4 if task.kind == "history" else np.zeros(0, dtype=int)
    return Sample(history, target, TIMES[:length])


@pytest.mark.parametrize("seq2seq", [False, True])
@pytest.mark.parametrize("name", task_names())
def test_only_the_target_carries_loss_and_the_prompt_stays_the_same(name, seq2seq):
    made = renderer(name, seq2seq)
    case = sample(made.task)
    text, example = made.render(case), made.render_example(case)
    learned = [token for token in example["labels"] if token != IGNORE]
    assert learned == made.target_ids(4)
    decoded = made.tokenizer.decode(learned, skip_special_tokens=True).replace(" ", "")
    assert decoded == text.target.replace(" ", "")
    if seq2seq:
        assert example["labels"] == learned
        assert made.tokenizer.decode(example["input_ids"]) == text.source + "</s>"
    else:
        assert example["input_ids"][-len(learned) :] == learned
        assert made.tokenizer.decode(example["input_ids"][: -len(learned)]) == text.source
        assert len(example["labels"]) == len(example["input_ids"])


@pytest.mark.parametrize("seq2seq", [False, True])
def test_codes_are_one_token_a_level_and_texts_end(seq2seq):
    assert len(renderer("next-item", seq2seq).target_ids(4)) == 2
    assert renderer("id-to-title", seq2seq).target_ids(4)[-1] == DECODER.eos_token_id


@settings(max_examples=40)
@given(st.integers(0, 40), st.integers(60, 260), st.sampled_from(["next-item", "next-item-titles", "next-item-gaps"]))
def test_the_budget_drops_the_oldest_items_and_no_more_than_needed(length, budget, name):
    made = renderer(name, max_tokens=budget)
    case = sample(made.task, length)
    rendered, example = made.render(case), made.render_example(case)
    assert len(example["input_ids"]) <= budget
    assert example["labels"][-2:] == made.target_ids(4)
    start = length - rendered.items
    part = Sample(case.history[start:], 4, case.times[start:])
    assert rendered.source == made.source(part)
    if rendered.items < length:
        longer = Sample(case.history[start - 1 :], 4, case.times[start - 1 :])
        assert len(made.source_ids(made.source(longer))) + 2 > budget


def test_the_number_of_items_is_limited_too():
    made = renderer(max_items=5)
    assert made.render(sample(made.task, 9)).items == 5


def test_a_preference_is_read_from_the_whole_history_and_can_be_given():
    made = renderer("next-item-preference", max_tokens=80)
    history = np.array([1, 1, 1, 1, 1, 1, 2])
    rendered = made.render(Sample(history, 4))
    assert rendered.items < 7
    assert "category Home > tea" in rendered.source
    assert "to like: dark roast" in made.render(Sample(history, 4, preference="dark roast")).source
    assert "to like" not in made.render(Sample(history[:0], 4)).source


def test_what_cannot_fit_even_with_one_item_is_said_with_the_item():
    with pytest.raises(DataError, match=r"does not fit: \d+ tokens with a single item") as failure:
        renderer("next-item-titles", max_tokens=30).render_example(Sample(np.array([3, 2]), 4))
    assert "tent number 2" in str(failure.value)
    assert "max_tokens" in str(failure.value)
    with pytest.raises(DataError, match="does not fit"):
        renderer("title-to-id", max_tokens=10).render_example(Sample(np.zeros(0, dtype=int), 4))


def test_a_chat_is_the_users_turn_and_the_answer_follows_it():
    made = renderer(chat=True, system="Be brief.")
    case = sample(made.task)
    source = made.render(case).source
    assert source.startswith("[system] Be brief.\n[user] A user chose")
    assert source.endswith("[assistant] ")
    example = made.render_example(case)
    assert DECODER.decode(example["input_ids"][:-2]) == source


def test_a_chat_needs_a_chat_template():
    with pytest.raises(ModelError, match="no chat template"):
        PromptRenderer(load_task("next-item"), T5_ITEMS, T5, seq2seq=True, chat=True)


CHATS = {
    "refuses": ("{{ raise_exception('System role not supported') }}", "cannot be used: System role not supported."),
    "is no template": ("{% for m in messages %}", "cannot be used: Unexpected end of template"),
    "reaches into Python": ("{{ messages.__class__.__name__ }}", "cannot be used: "),
    "asks for what is not there": ("{{ nobody.name }}", "cannot be used: 'nobody' is undefined"),
    "is no text": (["a"], "cannot be used"),
    "calls itself": ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "cannot be used: maximum recursion depth"),
    "says something else": ("hello", "leaves out or changes what the user says"),
}


@pytest.mark.parametrize("case", CHATS)
def test_a_chat_template_that_cannot_be_used_is_one_error(case):
    template, said = CHATS[case]
    tokenizer = make_tokenizer(chat=template)
    made = PromptRenderer(load_task("next-item"), ITEMS, tokenizer, seq2seq=False, chat=True, system="Be brief.")
    with pytest.raises(ModelError) as raised:
        made.render(sample(made.task))
    assert said in raised.value.what
    assert "prompts.system" in raised.value.hint


def test_a_chat_template_may_trim():
    trims = "{% for m in messages %}<{{ m.role }}>{{ m.content | trim }}{% endfor %}<assistant>"
    tokenizer = make_tokenizer(chat=trims)
    made = PromptRenderer(load_task("next-item"), ITEMS, tokenizer, seq2seq=False, chat=True)
    assert made.render(sample(made.task)).source.startswith("<user>A user chose")


def test_an_end_that_the_tokenizer_adds_does_not_stand_between_prompt_and_answer():
    made = PromptRenderer(load_task("next-item"), T5_ITEMS, T5, seq2seq=False)
    assert T5.eos_token_id not in made.render_example(sample(made.task))["input_ids"]


def test_times_are_needed_where_gaps_are_told():
    with pytest.raises(DataError, match="there are no times"):
        renderer("next-item-gaps").render(Sample(np.array([1, 2]), 4))


def test_an_item_without_the_text_that_is_asked_for_is_refused():
    made = renderer("ids-to-title")
    assert not made.usable[5]
    assert made.usable.sum() == len(ITEMS) - 1
    with pytest.raises(DataError, match="has no title"):
        made.render_example(Sample(np.array([1]), 5))


def test_targets_are_fields_of_the_catalogue(tmp_path):
    path = tmp_path / "mine.jinja"
    path.write_text(
        "---\nkind: item\ndescription: d\nsource: s\ninputs: {item: i}\ntarget: brnd\n---\n{{ item.title }}\n"
    )
    with pytest.raises(ConfigError, match="Did you mean 'brand'"):
        PromptRenderer(load_task(path), ITEMS, DECODER, seq2seq=False)


@pytest.mark.parametrize("seq2seq", [False, True])
def test_prompts_for_generation_are_those_of_training(seq2seq):
    made = renderer(seq2seq=seq2seq)
    histories = [[1, 2, 3], [], [4]]
    for side in ("left", "right"):
        batch = made.render_for_generation(histories, padding_side=side)
        for n, history in enumerate(histories):
            example = made.render_example(Sample(np.array(history, dtype=int), 6))
            source = example["input_ids"] if seq2seq else example["input_ids"][:-2]
            assert batch["input_ids"][n][batch["attention_mask"][n] == 1].tolist() == source
    default = made.render_for_generation(histories)["attention_mask"]
    assert bool(default[1, 0 if seq2seq else -1])
    assert not bool(default[1, -1 if seq2seq else 0])


def test_generation_takes_times_and_preferences():
    users = Histories.from_lists([[1, 2]])
    timed = Histories(users.user_ids, users.offsets, users.items, TIMES[:2])
    ids = renderer("next-item-gaps").render_for_generation(timed)["input_ids"][0]
    assert "1 day later: <a_2><b_2>" in DECODER.decode(ids)
    ids = renderer("next-item-preference").render_for_generation(users, preferences=["tea"])["input_ids"][0]
    assert "to like: tea" in DECODER.decode(ids)


def test_only_tasks_that_name_the_next_item_generate():
    with pytest.raises(ConfigError, match="does not name the next item"):
        renderer("id-to-title").render_for_generation([[1]])


def test_whole_histories_teach_every_item_but_the_oldest():
    made = renderer("next-item", whole=True)
    example = made.render_example(Sample(np.array([1, 2, 3]), 4))
    learned = [token for token in example["labels"] if token != IGNORE]
    assert learned == [token for item in (2, 3, 4) for token in made.target_ids(item)]
    places = np.flatnonzero(np.array(example["labels"]) != IGNORE)
    assert np.array(example["input_ids"])[places].tolist() == learned
    with pytest.raises(ConfigError, match="whole histories"):
        renderer("next-item-titles", whole=True)  # a title before the codes says which item they are
    apart = renderer("next-item", seq2seq=True, whole=True).render_example(Sample(np.array([1, 2, 3]), 4))
    plain = renderer("next-item", seq2seq=True)
    assert apart["labels"] == [token for item in (2, 3, 4) for token in plain.target_ids(item)]
    assert apart["input_ids"] == plain.render_example(Sample(np.array([1, 2, 3]), 4))["input_ids"]


def test_a_list_asks_for_every_item_in_the_same_place():
    made, history = renderer("next-in-list", whole=True), np.array([1, 2, 3])
    example, prompt = made.render_example(Sample(history, 4)), made.prompt_ids(Sample(history))
    ids = example["input_ids"]
    assert ids[: len(prompt)] == prompt
    levels = made.items.codes.shape[1]
    starts = [n for n, label in enumerate(example["labels"]) if label != IGNORE][::levels]
    assert len(starts) == 3
    assert {ids[start - 1] for start in starts} == {prompt[-1]}
    nobody = made.prompt_ids(Sample(np.zeros(0, dtype=np.int32)))
    assert prompt[: len(nobody)] == nobody


def test_items_show_every_field_and_hide_placeholders():
    shown = ITEMS[1]
    assert shown == {
        "title": "tea number 1",
        "brand": "",
        "categories": "Home > tea, Other",
        "category": "Home > tea",
        "codes": "<a_1><b_1>",
    }
    assert ITEMS[5]["title"] == "i5"
    assert ITEMS.titled.sum() == len(ITEMS) - 1
    assert isinstance(ITEMS, ItemTexts)
