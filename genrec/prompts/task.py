"""A task: one template of ``prompts/`` with what it reads and what the model has to answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from genrec.assets import asset_dir, asset_names
from genrec.config import Settings, parse
from genrec.encoders.text import compile_template, read_template, template_failed
from genrec.errors import ConfigError, unknown_name
from genrec.prompts.marks import MarkedText, as_data

CODES = "codes"
CODE, TITLE = "code", "title"
INPUTS: dict[str, tuple[str, ...]] = {
    "history": ("history", "preference"),
    "item": ("item", "query"),
    "code": ("code", "keywords"),
}
"""What templates of each kind can read."""


class Task(Settings):
    """One kind of training example, read from a template with :func:`load_task`.

    Attributes:
        name: File name without suffix.
        kind: ``history``: a user's items and the one that came next; ``item``: one item of the catalogue; ``code``: one
            code of one level.
        description: What it teaches.
        source: Where the idea comes from.
        inputs: Inputs that the template reads, with what they are. Those of kind ``history``: ``history``, the items,
            oldest first, and ``preference``, what the user says to like. Those of kind ``item``: ``item`` and
            ``query``, words that somebody would search it by. Every item has ``codes``, ``title``, ``category``, every
            field of the catalogue, and in a history ``gap``, the time since the item before. Those of kind ``code``:
            ``code``, its token, and ``keywords``, frequent words in the titles of the items that carry it.
        target: What the model answers about the target item: ``codes``, ``title``, ``category`` or a field; about a
            code: ``code`` or ``keywords``.
        whole: Whether every item of a history may carry the loss, not the target alone: only where nothing before the
            codes of an item tells which item it is.
        template: Jinja text of the prompt.
    """

    name: str
    kind: Literal["history", "item", "code"] = Field(description="what an example is made of: history, item or code")
    description: str = Field(description="one line that says what is learned")
    source: str = Field(description="paper or page that the task comes from")
    inputs: dict[str, str] = Field(description="values that the template reads, and where each comes from")
    target: str = Field(CODES, description="what the answer is: codes, a field of the item, or keywords")
    whole: bool = Field(False, description="whether a whole history can carry one loss an item")
    template: str = Field(description="the Jinja text below the front matter")

    @property
    def generates_items(self) -> bool:
        """Whether the answer is a semantic ID."""
        return self.target == CODES

    @property
    def recommends(self) -> bool:
        """Whether the task is to name the next item's codes: what a recommender can be asked."""
        return self.generates_items and self.kind == "history"

    @property
    def names_items(self) -> bool:
        """Whether the task is to name the next item, by its codes or by its title."""
        return self.kind == "history" and self.target in (CODES, TITLE)

    @property
    def needs_times(self) -> bool:
        """Whether the prompt tells the time between items."""
        return "gap" in self.inputs

    def render(self, **values: Any) -> str:
        """The prompt for the inputs of this kind; those that the front matter does not name are not seen.

        Raises:
            ConfigError: The template fails, for example because it names a field that does not exist.
        """
        return self.render_marked(**values).text

    def render_marked(self, **values: Any) -> MarkedText:
        """The same, with what of it is data and not template; see :mod:`genrec.prompts.marks`."""
        names = tuple(name for name in INPUTS[self.kind] if name in self.inputs)
        call = compile_template(self.template, self.name, names, as_data)
        try:
            return MarkedText.read(call(*(values[name] for name in names)))
        except Exception as error:  # a template is the user's program: whatever it raises is a wrong setting
            hint = "Items have codes, title, category, gap and the fields of the catalogue."
            raise template_failed(self.name, error, names, hint) from None


def task_names() -> list[str]:
    """Names of the shipped tasks, sorted."""
    folder = asset_dir("prompts")
    return [name for name in asset_names("prompts", ".jinja") if "kind" in read_template(folder / f"{name}.jinja")[0]]


def task_path(name: str | Path) -> Path:
    """The file of a task that is given by the name of a shipped template or by the path of a ``.jinja`` file.

    Raises:
        ConfigError: It does not exist; names the nearest that does.
    """
    path = Path(name)
    if path.suffix == ".jinja" and path.is_file():
        return path
    if str(name) not in (known := task_names()):
        raise unknown_name("task", str(name), known, where="prompts")
    return asset_dir("prompts") / f"{name}.jinja"


def load_task(name: str | Path) -> Task:
    """Read a task by the name of a shipped template or by the path of a ``.jinja`` file.

    Raises:
        ConfigError: It does not exist (names the nearest that does), or its front matter is wrong.

    Example:
        >>> load_task("next-item").target
        'codes'
    """
    path = task_path(name)
    front, template = read_template(path)
    front.setdefault("name", path.stem)
    task = parse(Task, {**front, "template": template}, where=path.name)
    allowed = (*INPUTS[task.kind], *(["gap"] if task.kind == "history" else []))
    for given in task.inputs:
        if given not in allowed:
            raise unknown_name("input", given, allowed, where=f"{path.name}: inputs")
    if not task.template.strip():
        raise ConfigError("The task has no text.", where=path, expected="a Jinja template below the front matter")
    return task
