#!/usr/bin/env bash
# tantivy never finds an item by an id of 40 letters or more.
#
# Guess beforehand: a text field holds all words of the text, whatever their length.
# Found: the default tokenizer drops words from 40 bytes on, when it indexes. A document whose text is a hash of 39 hexadecimal letters is
# found, one of 40 (SHA-1) or 64 (SHA-256) is not: no error at adding, no result at searching. tokenizer_name="raw" keeps it.
# The stored text is there and prints well.
# Why it matters: hashed user and item ids, URLs and long semantic IDs are such words, and so are names in languages that put words
# together. A lookup by id then says that the item is not in the catalogue.
# Output seen:
#   found of words of 39, 40 and 64 letters: default [1, 0, 0], raw [1, 1, 1]; documents stored 3 and 3
# Usage: bash findings/tantivy-forgets-words-of-forty-letters.sh   (installs tantivy==0.27.0 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check tantivy==0.27.0
env/bin/python - <<'END'
import tantivy

ids = [letter * length for letter, length in (("a", 39), ("b", 40), ("c", 64))]


def searched(**options: str) -> tuple[list[int], int]:
    schema = tantivy.SchemaBuilder().add_text_field("item", stored=True, **options).build()
    index = tantivy.Index(schema)
    writer = index.writer()
    for one in ids:
        writer.add_document(tantivy.Document(item=one))
    writer.commit()
    index.reload()
    searcher = index.searcher()
    return [len(searcher.search(index.parse_query(one, ["item"]), 5).hits) for one in ids], searcher.num_docs


(default, stored), (raw, also) = searched(), searched(tokenizer_name="raw")
print(f"found of words of 39, 40 and 64 letters: default {default}, raw {raw}; documents stored {stored} and {also}")
assert default == [1, 0, 0] and raw == [1, 1, 1] and stored == also == 3
END
echo "as found: tantivy-forgets-words-of-forty-letters"
