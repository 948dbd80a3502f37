"""The command as a process: it starts, answers, and ends well on SIGTERM with requests in flight."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from typer.testing import CliRunner

from genrec.cli.main import app
from genrec.cli.serve import _settings, _sources
from genrec.cli.stopping import on_signals
from genrec.errors import ConfigError
from genrec.serving.server import is_loopback, open_socket

ROOT = Path(__file__).resolve().parents[2]


HASTY = ("--limit", "header_s=0.3", "--limit", "max_body=200000")


def start(*arguments):
    """The process, and where it answers."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "genrec", "serve", *map(str, arguments), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    lines = []
    for line in process.stdout:
        lines.append(line)
        if found := re.search(r"(http://127\.0\.0\.1:\d+) ", line):
            return process, found[1]
    raise AssertionError("".join(lines) + process.stderr.read())


def ask(address, body=None, **headers):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"content-type": "application/json", **headers})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


ENDLESS = {
    "head": (b"GET /health HTTP/1.1\r\nhost: localhost\r\n", b"x: " + b"y" * 4000 + b"\r\n"),
    "place": (b"GET /", b"a" * 4000),
    "trailers": (
        b"POST /events HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n",
        b"x: " + b"y" * 4000 + b"\r\n",
    ),
}
"""Requests that never end: how they begin, and how they go on."""


def cut_off(address, kind):
    """Whether the service lets go of a client before it has sent 64 MB."""
    beginning, more = ENDLESS[kind]
    with socket.create_connection(address.removeprefix("http://").split(":"), timeout=30) as client:
        client.sendall(beginning)
        try:
            for _ in range(16_000):
                client.sendall(more)
        except OSError:
            return True
    return False


def test_it_serves_and_ends_well(trained, tables):
    process, address = start(f"shop={trained[1]}", "--histories", tables[1], "--part", "cups:categories=cup", *HASTY)
    try:
        assert ask(f"{address}/ready") == {"status": "ready"}
        history = trained[0].item_ids[:3].tolist()
        expected = trained[0].recommend([history], 5).item_ids[0]
        found = ask(f"{address}/recommend", {"history": history, "k": 5})
        assert [item["item_id"] for item in found["items"]] == expected
        assert len(ask(f"{address}/recommend?user=u003&k=3&within=cups")["items"]) == 3
        slow = socket.create_connection(address.removeprefix("http://").split(":"))
        slow.sendall(b"GET /health HTTP/1.1\r\nhost: loc")
        with pytest.raises(urllib.error.HTTPError, match="421"):
            ask(f"{address}/health", host="evil.example")
        slow.settimeout(20)
        assert slow.recv(1) == b""  # a client that never says what it wants is let go
        for endless in ENDLESS:
            assert cut_off(address, endless), endless
        answers = []
        many = {"histories": [history] * 200, "k": 20, "exact": True}
        asking = threading.Thread(target=lambda: answers.append(ask(f"{address}/recommend", many)))
        asking.start()
        while "running 2.0" not in urllib.request.urlopen(f"{address}/metrics", timeout=30).read().decode():
            if not asking.is_alive():
                break
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
        asking.join(10)
        assert process.returncode == 0, err
        assert "Stopped" in out
        assert "Traceback" not in err
        assert len(answers[0]["results"]) == 200
    finally:
        process.kill()


SLIPS = {
    "two of one name": (["a=M", "a=M"], "Two models have the name 'a'"),
    "a strange name": (["a b=M"], "no name of a model"),
    "no model": (["nowhere"], "not a genrec recommender"),
    "a part without a condition": (["m=M", "--part", "cheap"], "Cannot read the part"),
    "a setting of the service": (["m=M", "--limit", "max_kk=3"], "max_k"),
    "no table": (["m=M", "--histories", "nowhere.csv"], "does not exist"),
    "no index": (["m=M", "--index", "nowhere"], "not a genrec index"),
    "a short token": (["m=M", "--token-file", "T"], "too easily guessed"),
    "a port that is taken": (["m=M", "--port", "P"], "Cannot listen"),
    "an address of another machine": (["m=M", "--host", "192.0.2.1", "--port", "0"], "Cannot listen"),
}


@pytest.mark.parametrize("case", SLIPS)
def test_slips_are_answered_at_once(case, trained, tmp_path):
    (tmp_path / "token").write_text("short\n")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        places = {"M": str(trained[1]), "T": str(tmp_path / "token"), "P": str(taken.getsockname()[1])}
        arguments = [places.get(one, one.replace("=M", f"={trained[1]}")) for one in SLIPS[case][0]]
        done = CliRunner().invoke(app, ["serve", *arguments])
    assert done.exit_code == 1
    assert SLIPS[case][1] in done.output
    assert "Traceback" not in done.output


def test_what_only_a_search_has_is_for_the_models_that_search(trained, counts, tmp_path):
    how = {"device": None, "changes": ("beams=7",), "parts": {"cups": ("categories=cup",)}}
    both = {"shop": trained[1], "popular": counts}
    made = _sources(both, {None: str(tmp_path)}, (), **how)
    assert (made["shop"].changes, dict(made["shop"].parts), made["shop"].index) == (
        ("beams=7",),
        how["parts"],
        tmp_path,
    )
    assert (made["popular"].changes, dict(made["popular"].parts), made["popular"].index) == ((), {}, None)
    for alone in ({**how, "parts": {}}, {**how, "changes": ()}):
        with pytest.raises(ConfigError, match="A baseline has no index, no decoding settings and no parts"):
            _sources({"popular": counts}, {}, (), **alone)


def test_limits_of_the_documentation_go_together():
    text = (Path(__file__).parents[2] / "docs" / "serving.md").read_text()
    lines = [re.findall(r"--limit (\S+)", line) for line in text.splitlines() if line.startswith("genrec serve")]
    lines = [limits for limits in lines if limits]
    assert lines
    for limits in lines:
        _settings(limits)
    with pytest.raises(ConfigError, match=r"queue_users is 200, and a request of max_users \(256\)"):
        _settings(["queue_users=200"])


def test_addresses():
    assert all(is_loopback(host) for host in ("127.0.0.1", "127.1.2.3", "localhost", "::1", "[::1]"))
    assert not any(
        is_loopback(host) for host in ("0.0.0.0", "::", "10.0.0.1", "shop.example", "localhost.evil.example")
    )
    with open_socket("127.0.0.1", 0) as made:
        assert made.getsockname()[1] > 0


def test_signals_can_be_answered_where_there_are_none():
    """In a thread that is not the main one, as in tests."""
    with on_signals(lambda *_: None):
        pass
