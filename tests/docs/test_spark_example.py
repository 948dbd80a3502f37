"""The function of the Spark example, called as Spark calls it."""

import re
from pathlib import Path

import numpy as np
import pytest

from genrec.recommender import Recommender

PAGE = Path(__file__).resolve().parents[2] / "docs" / "batch.md"


def test_the_function_gives_every_user_the_items_that_the_recommender_gives(trained):
    pd = pytest.importorskip("pandas")
    code = re.search(r"def recommend\(frames\):.*?\n\n\n", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0]
    scope = {"pd": pd}
    exec(code.replace("/shared/model", str(trained[1])), scope)
    histories = [["i001", "i007"], ["i002"], ["i003", "i009", "i015"]]
    frames = [  # Spark gives arrays of objects, and as many frames as it likes
        pd.DataFrame({"user_id": ["a", "b"], "items": [np.array(["i001", "gone", "i007"], dtype=object), ["i002"]]}),
        pd.DataFrame({"user_id": ["c"], "items": [histories[2]]}),
    ]
    made = pd.concat(scope["recommend"](iter(frames)))
    wanted = Recommender.from_pretrained(trained[1]).recommend(histories, k=10)
    assert made["user_id"].tolist() == ["a", "b", "c"]
    assert made["items"].tolist() == wanted.item_ids
