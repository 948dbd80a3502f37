"""Nothing of transformers' bars and warnings reaches the screen while a recommender is trained, saved and loaded."""

import threading

from transformers.utils import logging

from genrec.data import Interactions
from genrec.generative.recommender import GenerativeRecommender
from genrec.models.quiet import quiet_loading
from genrec.training.train import train


def test_training_saving_and_loading_are_silent(tables, tiny_index, tiny_config, tmp_path, capfd):
    logging.enable_progress_bar()
    made = train(tiny_index, Interactions.read(tables[1]), tiny_config, tmp_path / "model")
    GenerativeRecommender.from_pretrained(tmp_path / "model").save_pretrained(tmp_path / "again")
    made.recommend([[]], 3)
    said = "".join(capfd.readouterr())
    for word in ("Loading weights", "Writing model shards", "[transformers]", "it/s"):
        assert word not in said


def test_what_was_shown_before_is_shown_again_once_the_last_thread_is_out():
    logging.enable_progress_bar()
    level, inside, leave = logging.get_verbosity(), threading.Event(), threading.Event()

    def load():
        with quiet_loading():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=load)
    thread.start()
    inside.wait(10)
    with quiet_loading():
        pass
    assert not logging.is_progress_bar_enabled()
    leave.set()
    thread.join(10)
    assert logging.is_progress_bar_enabled()
    assert logging.get_verbosity() == level
