"""Imports without garbage collection leave the collector as they found it."""

import gc
import json
import subprocess
import sys
import weakref

import pytest

from genrec.importing import collect_seldom, without_collection


@pytest.fixture(autouse=True)
def collector():
    """A collector as it is in a new process; the tests' own has frozen what they import."""
    was_on, threshold, was_frozen = gc.isenabled(), gc.get_threshold(), gc.get_freeze_count()
    gc.unfreeze()
    yield
    gc.set_threshold(*threshold)
    if was_frozen:
        gc.freeze()
    (gc.enable if was_on else gc.disable)()


def fail_inside():
    with without_collection():
        with without_collection():
            pass
        assert not gc.isenabled()
        raise ImportError


def test_nothing_is_collected_inside_and_the_collector_is_on_again_after_an_error():
    gc.enable()
    with pytest.raises(ImportError):
        fail_inside()
    assert gc.isenabled()


def test_garbage_from_inside_is_found_later():
    class Node:
        pass

    gc.enable()
    with without_collection():
        node = Node()
        node.itself = node
        gone = weakref.ref(node)
        del node
    assert gc.get_freeze_count() == 0
    gc.collect()
    assert gone() is None


def test_frozen_objects_are_not_counted_where_nothing_was_imported(monkeypatch):
    """A process that froze a million objects counts them one by one, and every recommender is loaded inside."""
    counted = []
    monkeypatch.setattr(gc, "get_freeze_count", lambda: counted.append(1) or 1)
    gc.enable()
    with without_collection():
        pass
    assert counted == []
    assert gc.isenabled()
    monkeypatch.delitem(sys.modules, "this", raising=False)
    with without_collection():
        import this  # noqa: F401 - a module that nothing else has imported
    assert counted == [1]
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off():
    gc.disable()
    with without_collection():
        pass
    assert not gc.isenabled()


def test_commands_collect_seldom_unless_nobody_collects():
    gc.enable()
    collect_seldom()
    assert gc.get_threshold()[0] == 50_000
    gc.set_threshold(700, 10, 10)
    gc.disable()
    collect_seldom()
    assert gc.get_threshold() == (700, 10, 10)


def test_a_library_leaves_the_collector_of_its_process_alone():
    code = (
        "import gc, json; before = gc.get_threshold(); runs = []\n"
        "import genrec\n"
        "gc.callbacks.append(lambda phase, info: runs.append(info['generation']))\n"
        "genrec.Recommender\n"
        "inside = len(runs)\n"
        "print(json.dumps([gc.isenabled(), before == gc.get_threshold(), inside]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    is_on, same, inside = json.loads(done.stdout)
    assert is_on
    assert same
    assert inside <= 2
