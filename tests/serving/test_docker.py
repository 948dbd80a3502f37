"""The image without docker: what its steps name is there, and what they run does run."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
import typer
import yaml

from genrec.cli.main import app
from genrec.serving import ServeSettings

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"


def steps():
    """Instructions of the Dockerfile with their arguments, continued lines joined."""
    text = re.sub(r"\\\n\s*", " ", (DOCKER / "Dockerfile").read_text())
    return [tuple(line.split(" ", 1)) for line in text.splitlines() if line and not line.startswith("#")]


def copied():
    """What is copied from the checkout: paths and where they go."""
    for name, rest in steps():
        if name == "COPY" and not rest.startswith("--from"):
            *sources, target = rest.split()
            yield from ((source, target) for source in sources)


def arguments(name):
    return json.loads(next(rest for step, rest in steps() if step == name))


def options_of_serve():
    command = typer.main.get_command(app).commands["serve"]
    return {option for one in command.params for option in one.opts}


def test_what_is_copied_is_there_and_not_ignored():
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    sources = [source for source, _ in copied()]
    assert {"genrec", "tokenizers", "prompts", "pyproject.toml"} <= set(sources)
    for source in sources:
        assert (ROOT / source).exists()
        assert any(fnmatch(source, one) for one in kept), source
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for needed in (project["project"]["readme"], *project["project"]["license-files"]):
        assert needed in sources
    for needed in project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]:
        assert needed in sources


def test_the_commands_of_the_image_exist():
    assert arguments("ENTRYPOINT") == ["genrec", "serve"]
    said = [word for word in arguments("CMD") if word.startswith("-")]
    assert set(said) <= options_of_serve()
    install = next(rest for name, rest in steps() if name == "RUN" and "pip install" in rest)
    extras = re.search(r'"\.\[(\w+)\]"', install)[1]
    assert extras in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert "-c scripts/constraints.txt" in install
    assert ("USER", "genrec") in steps()


def test_the_health_check_asks_what_the_service_answers(client):
    check = next(rest for name, rest in steps() if name == "HEALTHCHECK")
    code = json.loads(check.split("CMD ", 1)[1])
    port, path = re.search(r"http://127\.0\.0\.1:(\d+)(/\w+)", code[2]).groups()
    assert code[:2] == ["python", "-c"]
    compile(code[2], "health check", "exec")
    assert client.get(path).status_code == 200
    assert ("EXPOSE", port) in steps()
    assert port == arguments("CMD")[arguments("CMD").index("--port") + 1]


def test_the_compose_file_starts_the_same_and_prometheus_finds_it(client):
    services = yaml.safe_load((DOCKER / "compose.yml").read_text())["services"]
    own = services["genrec"]
    assert (DOCKER / own["build"]["context"] / own["build"]["dockerfile"]).is_file()
    assert own["command"] == arguments("CMD")
    assert own["ports"] == ["127.0.0.1:8000:8000"]
    assert int(own["stop_grace_period"].removesuffix("s")) > ServeSettings().stop_s
    mounted = own["volumes"][0].split(":")
    assert own["command"][0].startswith(mounted[1])
    config, place, _ = services["prometheus"]["volumes"][0].split(":")
    assert place == "/etc/prometheus/prometheus.yml"
    job = yaml.safe_load((DOCKER / config).read_text())["scrape_configs"][0]
    assert job["static_configs"][0]["targets"] == ["genrec:8000"]
    assert client.get(job["metrics_path"]).status_code == 200


@pytest.mark.slow
def test_the_steps_of_the_image_make_a_command_that_serves(tmp_path):
    """Only what is copied, installed as the image does (its packages are here already), and then asked for help."""
    source, target = tmp_path / "src", tmp_path / "installed"
    for name, place in copied():
        to = source / place / (name if place.endswith("/") else "")
        to.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, to)
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "-q", "--target", str(target), "."]
    subprocess.run(install, check=True, cwd=source)
    command = [sys.executable, "-m", "genrec", *arguments("ENTRYPOINT")[1:], "--help"]
    environment = {**os.environ, "PYTHONPATH": str(target)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "--host" in done.stdout
    where = [sys.executable, "-c", "import genrec.serving.routes.docs as docs; print(docs.__file__)"]
    found = subprocess.run(where, capture_output=True, text=True, env=environment, cwd=tmp_path, check=True).stdout
    assert Path(found.strip()).is_relative_to(target)
    assert (Path(found.strip()).parents[1] / "docs.html.jinja").is_file()
