"""Models from packages: parts are joined, checked and unpacked inside their folder; trouble is one message."""

import hashlib
import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from genrec.errors import GenRecError

SCRIPT = Path(__file__).parents[2] / "scripts" / "fetch_small_models.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("fetch_small_models", SCRIPT)
    made = importlib.util.module_from_spec(spec)
    sys.modules["fetch_small_models"] = made  # dataclasses look their module up
    spec.loader.exec_module(made)
    return made


def packed(script, folder, content, n_parts=2):
    """Wheels in a folder that hold the parts of an archive, and the model that they make."""
    whole = folder / "whole.zip"
    with zipfile.ZipFile(whole, "w") as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    data, packages = whole.read_bytes(), []
    step = -(-len(data) // n_parts)
    (folder / "wheels").mkdir()
    for n in range(n_parts):
        wheel = folder / "wheels" / f"some_part{n}-1.0-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(f"some/whole.zip.{n}", data[n * step : (n + 1) * step])
            archive.writestr("some/LICENSE", "as you like")
        packages.append(script.Package(f"some-part{n}", "1.0", script.sha256_of(wheel), f"whole.zip.{n}"))
    return script.Model(tuple(packages), hashlib.sha256(data).hexdigest(), "zip", ("LICENSE",))


def test_parts_become_a_folder_and_what_is_there_is_not_fetched(script, tmp_path, monkeypatch, capsys):
    content = {"m/config.json": "{}", "m/1_Pooling/config.json": "[]", "m/desktop.ini": "x"}
    monkeypatch.setitem(script.MODELS, "some", packed(script, tmp_path, content))
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("nothing is fetched"))
    folder = script.make("some", tmp_path)
    found = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}
    assert found == {"config.json": "{}", "1_Pooling/config.json": "[]", "LICENSE": "as you like"}
    assert script.make("some", tmp_path) == folder
    assert "is there" in capsys.readouterr().out


def test_other_bytes_and_a_failing_pip_are_said_and_leave_no_folder(script, tmp_path, monkeypatch):
    model = packed(script, tmp_path, {"m/config.json": "{}"})
    monkeypatch.setitem(script.MODELS, "some", script.Model(model.packages, "0" * 64, "zip"))
    with pytest.raises(GenRecError, match=r"another file than was used before[\s\S]*0000"):
        script.make("some", tmp_path)
    next((tmp_path / "wheels").glob("*part1*")).write_bytes(b"cut")
    failed = subprocess.CompletedProcess([], 1, "", "WARNING: no\nERROR: No matching distribution found")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(GenRecError, match=r"some-part1 1\.0: ERROR: No matching distribution"):
        script.make("some", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["wheels", "whole.zip"]


def test_an_archive_stays_inside_its_folder(script, tmp_path, monkeypatch):
    monkeypatch.setitem(script.MODELS, "some", packed(script, tmp_path, {"m/../../x": "out"}))
    with pytest.raises(GenRecError, match="outside of its folder"):
        script.make("some", tmp_path)
    assert not (tmp_path.parent / "x").exists()
