"""What the measuring script sees: planted faults are found, and this package has none."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def house(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    yield __import__("house")
    for name in ("house", "draw_house"):
        sys.modules.pop(name, None)


@pytest.fixture
def planted(tmp_path):
    """A package with one fault of each kind."""
    files = {
        "models/net.py": "class Net:\n    config_class = int\n\n\nclass Config:\n    model_type = 'genrec-net'\n",
        "trie.py": "def f():\n    from genrec.cli import main\n",
        "cli/main.py": "# why\nfrom genrec.models.net import Net\n\nNet()\nif architecture == 'net':\n    pass\n",
        "data/a.py": "if TYPE_CHECKING:\n    import genrec.data.b\n",
        "data/b.py": "import genrec.data.a\n\n\ndef g(x, y):\n    '''Text.'''\n    return x\n",
    }
    for name, text in files.items():
        path = tmp_path / "genrec" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_faults_are_found(house, planted):
    found = house.measure(planted)
    assert found["files"] == 5
    assert found["circles of imports, deferred and type-only ones included"] == 1
    assert found["modules in a circle"] == 2
    assert found["arrows that run up"] == 1
    assert found["places outside models/ that name a network"] == 2
    assert found["parameters of a function, mean"] == 1
    assert found["comments per 100 lines of code"] == pytest.approx(100 / 15, abs=0.01)


def test_this_package_names_no_network_and_runs_down(house):
    assert house.naming(house.modules(ROOT)) == []
    found = house.measure(ROOT)
    assert found["arrows that run up"] == 0
    assert found["circles of imports, deferred and type-only ones included"] == 2  # the composites of the layout test
