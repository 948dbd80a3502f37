#!/usr/bin/env bash
# Haystack's evaluators give the MRR 1.0 to a list that starts with another item of the same title, and 0.0 to a perfect list of items
# without a text.
#
# Guess beforehand: a document is known by its id, as in the store and in the joiner.
# Found: MRR, MAP, NDCG and recall compare the content, and the id only if one asks for it (document_comparison_field="id"). Items B1 and B2
# are both called "Pen": B2 on the first place is a hit. If the text is empty (None), as for items that are known by an image or by codes, a
# right item is no hit, and all four figures are 0.0. With one field chosen both are right.
# Why it matters: the same figures are read as those of other tools, which count ids. A shop with many items of one name gets too good a
# figure, a shop without texts gets nothing, and neither says why.
# Output seen:
#   MRR, MAP, NDCG, recall of another item of that title [1.0, 1.0, 1.0, 1.0], of the right item without a text [0.0, 0.0, 0.0, 0.0]
#   by id: [0.0, 0.0, 0.0, 0.0] and [1.0, 1.0, 1.0, 1.0]
# Usage: bash findings/haystack-counts-another-item-with-the-same-title-as-the-right-one.sh   (installs haystack-ai==3.4.1 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check haystack-ai==3.4.1
env/bin/python - <<'END'
import logging
import os

os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"
from haystack import Document
from haystack.components.evaluators import DocumentMAPEvaluator, DocumentMRREvaluator, DocumentNDCGEvaluator, DocumentRecallEvaluator

logging.disable(logging.WARNING)
EVALUATORS = (DocumentMRREvaluator, DocumentMAPEvaluator, DocumentNDCGEvaluator, DocumentRecallEvaluator)


def figures(right: list[Document], found: list[Document], **settings) -> list[float]:
    one = {"ground_truth_documents": [right], "retrieved_documents": [found]}
    return [float(evaluator(**settings).run(**one)["score"]) for evaluator in EVALUATORS]


pen = Document(id="B1", content="Pen")
other = [Document(id="B2", content="Pen"), Document(id="B3", content="Cup")]
silent = Document(id="B4")
named = figures([pen], other), figures([silent], [silent])
by_id = figures([pen], other, document_comparison_field="id"), figures([silent], [silent], document_comparison_field="id")
print(f"MRR, MAP, NDCG, recall of another item of that title {named[0]}, of the right item without a text {named[1]}")
print(f"by id: {by_id[0]} and {by_id[1]}")
assert named == ([1.0] * 4, [0.0] * 4) and by_id == ([0.0] * 4, [1.0] * 4)
END
echo "as found: haystack-counts-another-item-with-the-same-title-as-the-right-one"
