"""Many searches of one network, and changes that wait for them."""

import copy
import threading
from contextlib import suppress

from genrec.models.occupancy import Occupancy


class Desk:
    """Counts what happens around searches."""

    def __init__(self):
        self.occupancy, self.ready, self.begun, self.ended = Occupancy(), False, 0, []

    def begin(self):
        self.ready, self.begun = True, self.begun + 1
        return self.begun

    def end(self, begun, failed):
        self.ready = False
        self.ended.append((begun, failed))

    def search(self):
        return self.occupancy.search(self.begin, self.end)


def test_the_first_prepares_and_the_last_clears_up():
    desk = Desk()
    with desk.search():
        with desk.search():
            assert desk.begun == 1
        assert desk.ready
    assert not desk.ready
    with desk.search():
        pass
    assert desk.ended == [(1, False), (2, False)]


def test_a_failure_is_told_when_the_last_one_leaves():
    desk = Desk()
    with desk.search():
        with suppress(KeyboardInterrupt), desk.search():
            raise KeyboardInterrupt
        assert desk.ready
    assert desk.ended == [(1, True)]


def test_what_cannot_be_prepared_leaves_the_place_free():
    desk = Desk()

    def fail():
        raise ValueError

    with suppress(ValueError), desk.occupancy.search(fail, desk.end):
        raise AssertionError("never entered")
    with desk.search():
        assert desk.ready


def test_a_change_waits_for_the_searches_and_searches_for_the_change():
    desk, entered, leave, changed, seen = Desk(), threading.Event(), threading.Event(), threading.Event(), []

    def searching():
        with desk.search():
            entered.set()
            leave.wait(10)
            seen.append(changed.is_set())

    def changing():
        entered.wait(10)
        with desk.occupancy.alone():
            seen.append(desk.ready)
            changed.set()

    threads = [threading.Thread(target=one) for one in (searching, changing)]
    for thread in threads:
        thread.start()
    assert not changed.wait(0.05)
    leave.set()
    for thread in threads:
        thread.join(10)
    assert seen == [False, False]  # the search saw no change, the change no search


def test_a_thread_does_not_wait_for_itself():
    desk = Desk()
    with desk.search(), desk.occupancy.alone():
        assert desk.ready


def test_a_copy_is_used_by_nobody():
    desk = Desk()
    with desk.search():
        other = copy.deepcopy(desk)
        with other.occupancy.alone():
            assert other.occupancy is not desk.occupancy
