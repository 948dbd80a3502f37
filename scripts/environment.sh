# Sourced by quickstart.sh and test.sh: makes .venv beside the checkout, or reuses it when nothing changed.
# Usage: source scripts/environment.sh EXTRAS     (EXTRAS such as "" or "[dev]")
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"
extras="${1:-}"
venv="$root/.venv"

python=""
for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11 python; do
    if [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 &&
        "$candidate" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
        python="$candidate"
        break
    fi
done
if [ -z "$python" ]; then
    echo "genrec needs Python 3.11 or newer with venv. Install one, or set PYTHON=/path/to/python3." >&2
    exit 1
fi

stamp="$venv/.genrec-${extras//[^a-z,]/}"
wanted="$(cat pyproject.toml scripts/constraints.txt | cksum)"
if [ "$(cat "$stamp" 2>/dev/null || true)" != "$wanted" ]; then
    echo "Installing genrec$extras into .venv (a few minutes the first time) …"
    [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -c scripts/constraints.txt -e ".$extras"
    echo "$wanted" >"$stamp"
fi
export PATH="$venv/bin:$PATH"
export TOKENIZERS_PARALLELISM=false
