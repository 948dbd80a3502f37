#!/usr/bin/env bash
# LangChain's EnsembleRetriever makes two items of four, as three of them are called "Pen", and puts a "Pen" first that each retriever names
# once.
#
# Guess beforehand: results are fused by their id or as they are, and an item that stands in one list only has the vote of that list.
# Found: without id_key the text of the document is its identity. Item 1 of the first retriever and items 3 and 4 of the second have the
# title "Pen": one of them is returned, with the votes of all, and the metadata of the first. Items 3 and 4 are gone. With id_key="item" all
# four come, in another order. The id of the documents is not looked at.
# Why it matters: keyword search and vector search are combined so, and titles of a catalogue are not unique (colours, sizes, editions). The
# popular names win, the list gets shorter, and which edition is shown depends on the order of the retrievers.
# Output seen:
#   items 2, 1 and 3, 4: fused [1, 2], with id_key [2, 3, 1, 4]
# Usage: bash findings/langchain-fusion-makes-one-item-of-three-with-the-same-title.sh   (installs langchain-classic==1.0.8 langchain-core==1.8.3 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check langchain-classic==1.0.8 langchain-core==1.8.3
env/bin/python - <<'END'
from langchain_classic.retrievers import EnsembleRetriever
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever


class Fixed(BaseRetriever):
    found: list[Document]

    def _get_relevant_documents(self, query, *, run_manager=None):
        return self.found


def item(number: int, title: str) -> Document:
    return Document(page_content=title, id=str(number), metadata={"item": number})


words = Fixed(found=[item(2, "Cup"), item(1, "Pen")])
vectors = Fixed(found=[item(3, "Pen"), item(4, "Pen")])
fused = [one.metadata["item"] for one in EnsembleRetriever(retrievers=[words, vectors]).invoke("pen")]
keyed = [one.metadata["item"] for one in EnsembleRetriever(retrievers=[words, vectors], id_key="item").invoke("pen")]
print(f"items 2, 1 and 3, 4: fused {fused}, with id_key {keyed}")
assert fused == [1, 2] and sorted(keyed) == [1, 2, 3, 4] and keyed[0] != 1
END
echo "as found: langchain-fusion-makes-one-item-of-three-with-the-same-title"
