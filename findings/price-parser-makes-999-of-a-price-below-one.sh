#!/usr/bin/env bash
# price-parser reads 0.999 as 999, 7.000 as 7000 and 4.99 as 4.99, and a refund of -5 as a price of 5.
#
# Guess beforehand: "0.999" begins with a zero, so the point can only be a decimal point.
# Found: a point or comma with three digits behind it parts thousands, whatever stands before it, so 0.999 is 999 and 12.345 is 12345. With
# one, two or five digits it is a decimal point. A minus sign is dropped. "2 for 10" is 2 and "from 10 to 20" is 10. decimal_separator="."
# reads 0.999 and 12.345 right.
# Why it matters: prices per litre, per gram and per sheet, currencies with three decimals (dinars) and prices from floats (7.000) have
# three digits. Some of one column are a thousand times too large, most are right, and price is a feature that is scaled by its largest
# value.
# Output seen:
#   {'4.99': 4.99, '0.999': 999.0, '12.345': 12345.0, '7.000': 7000.0, '3.5': 3.5, '-5': 5.0, '2 for 10': 2.0, 'from 10 to 20': 10.0}; with decimal_separator: [0.999, 12.345, 7.0]
# Usage: bash findings/price-parser-makes-999-of-a-price-below-one.sh   (installs price-parser==0.5.1 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check price-parser==0.5.1
env/bin/python - <<'END'
from price_parser import Price

TEXTS = ["4.99", "0.999", "12.345", "7.000", "3.5", "-5", "2 for 10", "from 10 to 20"]
read = {text: float(Price.fromstring(text).amount) for text in TEXTS}
told = [float(Price.fromstring(text, decimal_separator=".").amount) for text in ("0.999", "12.345", "7.000")]
print(f"{read}; with decimal_separator: {told}")
assert list(read.values()) == [4.99, 999, 12345, 7000, 3.5, 5, 2, 10] and told == [0.999, 12.345, 7]
END
echo "as found: price-parser-makes-999-of-a-price-below-one"
