import pytest

from genrec.cli import console
from genrec.errors import DataError


def test_headings_and_cells_are_whole_where_there_is_no_terminal(capsys, monkeypatch):
    monkeypatch.setattr(console, "out", console.PlainConsole(width=40, force_terminal=False))
    columns = ["recommender", *(f"a_long_heading_number_{n}" for n in range(8))]
    console.table(columns, [["x" * 60, *range(8)]], title="All of them")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "All of them"
    assert lines[1].split() == columns
    assert lines[2].split() == ["x" * 60, *map(str, range(8))]
    assert len(lines) == 3


@pytest.mark.parametrize(
    ("hint", "shown"),
    [
        ("Use --quotes double (quotes='double' in Python).", "Use --quotes double."),
        ("Pass --time-column t (time_column='t' in Python), or none.", "Pass --time-column t, or none."),
        ("Call it (f(x=(1, 2)) in Python) or not (see above).", "Call it or not (see above)."),
    ],
)
def test_the_shell_gets_no_advice_for_python(hint, shown, capsys):
    console.show_error(DataError("Wrong.", hint=hint))
    said = capsys.readouterr().err
    assert shown in said.replace("\n", " ")
    assert "Python" not in said
