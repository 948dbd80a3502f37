#!/usr/bin/env bash
# zstandard's decompress() gives the first frame of a file and leaves the rest out without a word.
#
# Guess beforehand: it decompresses all frames, as gzip.decompress does for members, or raises that bytes are left.
# Found: two frames behind one another (what `cat a.zst b.zst` or a parallel compressor writes) give the rows of the first.
# decompress stops there in silence; stream_reader, zstandard.open and polars read all rows of the same file.
# Why it matters: large public logs are shipped as .zst of many frames; a reader that uses decompress() loses most users.
# Output seen:
#   decompress 2 lines, stream_reader 3 lines, zstandard.open 3 lines, polars 2 rows after the header
# Usage: bash findings/zstandard-decompress-reads-one-frame.sh   (installs zstandard==0.25.0 polars==2.1.0 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check zstandard==0.25.0 polars==2.1.0
env/bin/python - <<'END'
import io
import polars, zstandard

one = zstandard.ZstdCompressor().compress(b"user,item\nann,book\n")
two = zstandard.ZstdCompressor().compress(b"bob,lamp\n")
with open("log.csv.zst", "wb") as file:
    file.write(one + two)
whole = len(zstandard.ZstdDecompressor().decompress(one + two).splitlines())
with open("log.csv.zst", "rb") as file:
    stream = len(zstandard.ZstdDecompressor().stream_reader(file).read().splitlines())
with zstandard.open("log.csv.zst", "rt") as file:
    opened = len(file.read().splitlines())
rows = polars.read_csv("log.csv.zst").height
print(f"decompress {whole} lines, stream_reader {stream} lines, zstandard.open {opened} lines, polars {rows} rows after the header")
assert (whole, stream, opened, rows) == (2, 3, 3, 2)
END
echo "as found: zstandard-decompress-reads-one-frame"
