"""prompts/README.md shows what the templates render to."""

import importlib.util

from genrec.assets import asset_dir
from genrec.prompts import task_names


def _script():
    path = asset_dir("prompts").parent / "scripts" / "render_prompts.py"
    spec = importlib.util.spec_from_file_location("render_prompts", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_command_writes():
    """After a change of a template: python scripts/render_prompts.py."""
    script = _script()
    text = script.README.read_text(encoding="utf-8")
    assert text == script.page(text)


def test_every_template_has_a_line_on_the_page():
    text = _script().README.read_text(encoding="utf-8")
    for path in asset_dir("prompts").glob("*.jinja"):
        assert f"| `{path.name}` |" in text
    for name in task_names():
        assert f"### {name}\n" in text
