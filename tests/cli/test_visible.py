"""Text of data is shown as it is: no markup, no emoji codes, nothing that a terminal obeys, whatever the verb."""

import json
import logging

import pytest
from rich.console import Console
from typer.testing import CliRunner

from genrec.cli import console
from genrec.cli.main import app
from genrec.cli.progress import progress
from genrec.cli.visible import VisibleFormatter, json_text, one_line, visible
from genrec.errors import DataError

HOSTILE = [
    "[/b] red cup",
    "[bold]red[/bold] cup",
    "[link=file:///etc]cup",
    ":cup: of tea",
    "red \x1b[31mcup\x1b]0;title\x07",
    "a\x9b31mb",
    "a\x08\x08b\rc",
    "abc\u202edef\u2066",
    "red\u2028cup\u2029\x85\x0b\x0c\x1c",
    "half \ud83d a pair",
    "\x00nul\x7f",
]
OBEYED = set("\x00\x07\x08\x0b\x0c\r\x1b\x1c\x7f\x85\x9b\u2028\u2029\u202e\u2066\ud83d")


def as_shown(text):
    """What a reader should see: every sign that is obeyed written out."""
    return "".join(
        sign if sign not in OBEYED else (f"\\x{ord(sign):02x}" if ord(sign) < 256 else f"\\u{ord(sign):04x}")
        for sign in text
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_visible_text_keeps_every_other_sign(text):
    assert visible(text) == as_shown(text)
    visible(text).encode()
    assert one_line(f"a\r\n{text}\tb") == f"a {as_shown(text)} b"
    back = json_text({"title": text})
    assert json.loads(back) == {"title": text}
    assert not OBEYED & set(back)


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("text", HOSTILE)
def test_every_way_to_print_shows_text_as_it_is(text, terminal, monkeypatch, capsys):
    for name, to_err in (("out", False), ("err", True)):
        made = console.PlainConsole(stderr=to_err, force_terminal=terminal, color_system=None, width=200)
        monkeypatch.setattr(console, name, made)
    console.say(text)
    console.heading(text)
    console.table([text, "n"], [[text, 1]], title=text)
    console.summary({text: text}, [text])
    console.show_error(DataError(text, where=text))
    console.out.print(text, style="bold")
    with progress(text) as update:
        update(text, 1, 2)
    shown = capsys.readouterr()
    assert shown.out.count(as_shown(text)) >= 9
    assert shown.err.count(as_shown(text)) >= 2
    assert not OBEYED & set(shown.out)
    if not terminal:  # a progress bar of its own moves the cursor
        assert not OBEYED & set(shown.err)


def test_markdown_on_a_terminal_obeys_nothing(monkeypatch, capsys):
    monkeypatch.setattr(console, "out", console.PlainConsole(force_terminal=True, color_system=None, width=200))
    console.markdown("a [/b] \x1b]0;x\x07 :cup:")
    shown = capsys.readouterr().out
    assert "[/b]" in shown
    assert ":cup:" in shown
    assert not OBEYED & set(shown)


def test_log_lines_obey_nothing():
    record = logging.LogRecord("genrec", logging.WARNING, "f", 1, "item %s", ("\x1b[2J",), None)
    assert VisibleFormatter("%(name)s: %(message)s").format(record) == "genrec: item \\x1b[2J"


def test_no_other_console_is_made():
    assert isinstance(console.out, console.PlainConsole)
    assert isinstance(console.err, console.PlainConsole)
    assert not any(
        isinstance(value, Console) and not isinstance(value, console.PlainConsole) for value in vars(console).values()
    )


def _tables(folder):
    titles = [text for text in HOSTILE if "\x00" not in text and "\ud83d" not in text]
    items = folder / "[bold]items\x1b[31m.jsonl"
    items.write_text(
        "\n".join(json.dumps({"item_id": f"[i{n}]\x1b[3m", "title": title}) for n, title in enumerate(titles))
    )
    rows = [{"user_id": f"[/u{n % 4}]\x9b", "item_id": f"[i{n % 9}]\x1b[3m", "timestamp": n} for n in range(36)]
    rows += [{"user_id": "\x1b[2J", "item_id": "[/gone]\x1b[1m", "timestamp": 99}, {"user_id": "u", "item_id": None}]
    interactions = folder / "x.jsonl"
    interactions.write_text("\n".join(map(json.dumps, rows)) + "\nno json \x1b[5m [/x]\n")
    return items, interactions


@pytest.mark.parametrize(
    "arguments",
    [
        ["data", "check", "ITEMS", "ROWS"],
        ["data", "check", "ITEMS", "ROWS", "--json"],
        ["data", "check", "ROWS", "ITEMS"],
        ["audit", "ITEMS", "ROWS"],
        ["index", "build", "ITEMS", "--tokenizer", "no-such\x1b[1m[/x]", "--out", "OUT"],
        ["index", "build", "ITEMS", "--id-column", "[/id]\x1b[1m", "--out", "OUT"],
        ["index", "show", "OUT[/x]\x1b[1m"],
        ["train", "OUT\x1b[1m", "ROWS", "--out", "OUT"],
        ["generate", "OUT\x1b[1m", "ROWS", "--out", "OUT.csv"],
        ["evaluate", "OUT\x1b[1m", "ROWS", "--out", "OUT.csv"],
        ["baseline", "no-such\x1b[/x]", "ROWS", "--out", "OUT"],
    ],
)
def test_verbs_print_nothing_that_a_terminal_obeys(arguments, tmp_path):
    items, rows = _tables(tmp_path)
    places = {"ITEMS": str(items), "ROWS": str(rows), "OUT": str(tmp_path / "out")}
    given = [places.get(one, one.replace("OUT", places["OUT"])) for one in arguments]
    result = CliRunner().invoke(app, given)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert not OBEYED & set(result.output)
    if arguments[1] == "check" and arguments[-1] == "ROWS":
        assert "[/b] red cup" in result.output


@pytest.mark.parametrize("terminal", [True, False])
def test_markdown_is_neither_cut_nor_left_with_its_signs(terminal, monkeypatch, capsys):
    text = f"# Heading\n\n| name | n |\n|---|--:|\n| a \\| b | 7 |\n\n- **{'long words ' * 20}end**\n- *kind*: 2 * 3\n"
    monkeypatch.setattr(console, "out", console.PlainConsole(force_terminal=terminal, color_system=None, width=60))
    console.markdown(text)
    shown = capsys.readouterr().out
    assert "end" in shown  # nothing is cut off at the width of the terminal
    assert "**" not in shown
    assert "# " not in shown
    assert "kind: 2 * 3" in shown
    assert terminal or shown.splitlines()[2:4] == ["name   n", "a | b  7"]
