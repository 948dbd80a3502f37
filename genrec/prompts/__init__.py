"""Tasks as text: templates of ``prompts/``, items and histories as their inputs, token ids out."""

from genrec.prompts.items import ItemTexts
from genrec.prompts.rendering import PromptRenderer, Rendered
from genrec.prompts.samples import Sample
from genrec.prompts.task import Task, load_task, task_names

__all__ = ["ItemTexts", "PromptRenderer", "Rendered", "Sample", "Task", "load_task", "task_names"]
