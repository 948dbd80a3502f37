"""Parts found by name: in files of a package, in installed packages, in code that has run."""

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from genrec.errors import ConfigError
from genrec.registry import Registry


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with two parts in files, one of them in a folder; importing the second leaves a trace."""
    folder = tmp_path / "toolbox"
    (folder / "deep").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "parts.py").write_text(
        "from genrec.registry import Registry\nPARTS = Registry('x', package='toolbox', decorator='part')\n"
    )
    text = "from toolbox.parts import PARTS\npart = PARTS.add\n\n\n@part('{name}')\nclass Part:\n    pass\n"
    (folder / "one.py").write_text(text.format(name="one").replace("'", '"'))
    (folder / "deep" / "__init__.py").write_text("")
    (folder / "deep" / "two.py").write_text(text.format(name="part-2").replace("'", '"') + "raise RuntimeError\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "toolbox"]:
        del sys.modules[name]


def test_names_are_known_before_anything_is_imported(package):
    from toolbox.parts import PARTS

    assert list(PARTS) == ["one", "part-2"]
    assert "toolbox.one" not in sys.modules
    assert "part-2" in PARTS
    assert "three" not in PARTS
    assert PARTS["one"].__name__ == "Part"
    assert "toolbox.deep.two" not in sys.modules
    with pytest.raises(KeyError):
        PARTS["three"]


def test_a_file_adds_to_a_family_that_is_listed(package, tmp_path):
    """The order of the family stays; what files add follows."""
    from toolbox.parts import PARTS  # noqa: F401

    (tmp_path / "toolbox" / "family.py").write_text(
        "from genrec.registry import Registry\n\n\nclass Zero:\n    name = 'zero'\n\n\n"
        "FAMILY = Registry('y', package='toolbox', decorator='FAMILY.add', classes=(Zero,))\n"
    )
    (tmp_path / "toolbox" / "more.py").write_text(
        'from toolbox.family import FAMILY\n\n\n@FAMILY.add("more")\nclass More:\n    pass\n'
    )
    from toolbox.family import FAMILY

    assert list(FAMILY) == ["zero", "more"]
    assert FAMILY["more"].__name__ == "More"


def test_an_installed_package_adds_one(monkeypatch):
    point = EntryPoint("ordered", "collections:OrderedDict", "genrec.things")
    monkeypatch.setattr("genrec.registry.entry_points", lambda group: [point] if group == "genrec.things" else [])
    things = Registry("genrec.things")
    assert list(things) == ["ordered"]
    assert things["ordered"].__name__ == "OrderedDict"


def test_names_of_networks_are_known_without_torch():
    code = "from genrec.models import NETWORKS; import sys; print('item-decoder' in NETWORKS, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]


@pytest.mark.parametrize("name", [[], {}, None, 3, b"lsa"])
def test_what_is_no_name_is_in_no_registry(name):
    from genrec.quantizers import QUANTIZERS, build_quantizer

    assert name not in QUANTIZERS
    with pytest.raises(ConfigError):
        build_quantizer({"name": name})
