"""What stands where Ray does, for tests of all that is ours of that engine."""

import os
import pickle
import sys
from types import SimpleNamespace

import numpy as np
import pytest

NICENESS = "RAY_worker_niceness"


class Rows:
    """A data set of Ray, without Ray: what this engine asks of it."""

    def __init__(self, rows):
        self.rows = rows

    def map_batches(self, actor, *, fn_constructor_args, batch_size, **_):
        made = actor(*pickle.loads(pickle.dumps(fn_constructor_args)))
        assert batch_size == 1
        found = [made({name: np.array([value]) for name, value in row.items()}) for row in self.rows]
        return Rows([{name: values[0] for name, values in one.items()} for one in found])

    def iter_rows(self):
        return iter(self.rows)


@pytest.fixture
def no_ray(monkeypatch):
    """Stands where Ray does; says with what it was started."""
    said = {}
    data = SimpleNamespace(from_items=lambda items, **_: Rows(items), ActorPoolStrategy=lambda size: size)
    fake = SimpleNamespace(
        is_initialized=lambda: False,
        init=lambda **options: said.update(options, niceness=os.environ.get(NICENESS)),
        cluster_resources=lambda: {"CPU": 3},
        shutdown=lambda: said.update(ended=True),
        data=data,
    )
    monkeypatch.delenv(NICENESS, raising=False)
    monkeypatch.setitem(sys.modules, "ray", fake)
    yield said
    os.environ.pop(NICENESS, None)
