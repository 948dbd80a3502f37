"""The table of constrained decoding against Hugging Face: about 15 minutes of one quiet core.

    python scripts/bench_decode.py            # the whole grid
    python scripts/bench_decode.py --quick    # a minute, into a folder of your choice with --out

The same as ``genrec bench decode``; writes scripts/results/decode.json and .md, anew after every setting.
"""

import sys
from pathlib import Path

from genrec.cli.main import app

RESULTS = Path(__file__).resolve().parent / "results"

if __name__ == "__main__":
    given = sys.argv[1:]
    sys.argv = ["genrec", "bench", "decode", *given]
    if "--out" not in given:
        sys.argv += ["--out", str(RESULTS.relative_to(Path.cwd()) if RESULTS.is_relative_to(Path.cwd()) else RESULTS)]
    app()
