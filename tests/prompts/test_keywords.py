"""What the items of a code have in common, and the tasks that tie codes to words."""

import numpy as np
import pytest
from text_support import make_items, make_tokenizer

from genrec.data.histories import Histories
from genrec.errors import ConfigError
from genrec.prompts import PromptRenderer, Sample, load_task
from genrec.prompts.examples import make_text_examples
from genrec.prompts.keywords import code_keywords
from genrec.prompts.settings import TaskSettings

TITLES = ["red cup", "blue cup", "cup, large", "red tent", "green tent", "tent for two"]


def test_keywords_are_frequent_in_a_code_and_rare_elsewhere():
    codes = np.array([[0, 1], [0, 1], [0, 1], [2, 1], [2, 1], [2, 1]])
    first, second = code_keywords(TITLES, codes, (3, 2), most=1)
    assert first == ["cup", "", "tent"]
    assert second == ["", ""]  # what all items carry sets none apart
    assert code_keywords(["", ""], np.zeros((2, 1), dtype=int), (1,)) == [[""]]
    order = np.random.default_rng(0).permutation(6)
    assert code_keywords([TITLES[n] for n in order], codes[order], (3, 2), most=1) == [first, second]


@pytest.fixture
def made():
    tokenizer = make_tokenizer()
    return tokenizer, make_items(tokenizer)


def test_a_code_is_one_token_both_as_question_and_as_answer(made):
    tokenizer, items = made
    asked = PromptRenderer(load_task("code-to-keywords"), items, tokenizer, seq2seq=False)
    example = asked.render_example(Sample(np.zeros(0, dtype=np.int32), 2))
    assert example["input_ids"].count(items.tokens.ids[0][2]) == 1
    answer = [token for token in example["labels"] if token != -100]
    assert tokenizer.decode(answer[:-1]).split()[0] == "tent"
    assert answer[-1] == tokenizer.eos_token_id
    back = PromptRenderer(load_task("keywords-to-code"), items, tokenizer, seq2seq=False)
    example = back.render_example(Sample(np.zeros(0, dtype=np.int32), 2))
    assert [token for token in example["labels"] if token != -100] == [items.tokens.ids[0][2]]
    assert "tent" in back.source(Sample(np.zeros(0, dtype=np.int32), 2))


def test_they_are_part_of_a_mixture_and_leave_out_codes_without_words(made):
    tokenizer, items = made
    tasks = [TaskSettings(), TaskSettings(prompt="code-to-keywords"), TaskSettings(prompt="keywords-to-code")]
    examples = make_text_examples(tasks, Histories.from_lists([[0, 1, 2, 3]] * 8), items, tokenizer, seq2seq=False)
    tasks_seen = {examples.locate(row)[0] for row in range(len(examples))}
    assert tasks_seen == {0, 1, 2}
    rows = [examples[row] for row in range(len(examples))]
    assert all(len(row["input_ids"]) == len(row["labels"]) for row in rows)
    about = items.of_codes
    assert set(examples.samples[1].tolist()) == set(np.flatnonzero(about.titled).tolist())
    with pytest.raises(ConfigError, match="Unknown target 'titel'"):
        about.target_texts("titel")
