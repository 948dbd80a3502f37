#!/usr/bin/env bash
# LightGBM scores an item without a price as one that costs 0, if all items of the training had a price. XGBoost and scikit-learn do not.
#
# Guess beforehand: a missing value goes to a side of each split that was chosen in training: the default one, or that of most rows.
# Found: if a feature had no missing value in training, LightGBM takes NaN for the number 0. With prices from 5 to 10, where dear items
# sell, the item without a price is the cheapest of all: 0.0. With discounts from -10 to -5, NaN lies above all of them and gets the score
# of the smallest discount. XGBoost and scikit-learn's HistGradientBoosting send it to one side by a rule that does not depend on the
# sign: 1.0 and 1.0 for the prices. With 51 dear items without a price in training, LightGBM, too, answers 1.0 for NaN.
# Why it matters: a training table is made of complete rows and the service meets new items and failed look-ups. If features are shifted
# (price - mean), 0 is an average item; if they are not, it is an extreme one. No warning, and the dtype is the same.
# Output seen:
#   NaN and 0 for prices from 5 to 10: LightGBM 0.0 and 0.0, XGBoost 1.0 and 0.0, scikit-learn 1.0 and 0.0
#   LightGBM, features from -10 to -5: NaN 1.0 and 0 1.0; prices with missing values of dear items in training: NaN 1.0
# Usage: bash findings/lightgbm-takes-a-missing-price-for-zero.sh   (installs lightgbm==4.7.0 xgboost==3.2.0 scikit-learn==1.9.1 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check lightgbm==4.7.0 xgboost==3.2.0 scikit-learn==1.9.1 numpy==2.3.5
env/bin/python - <<'END'
import lightgbm
import numpy as np
import xgboost
from sklearn.ensemble import HistGradientBoostingRegressor

rng = np.random.default_rng(0)
price = rng.uniform(5, 10, (1000, 1))
sold = (price[:, 0] > 7).astype(float)
ask = np.array([[np.nan], [0.0]])


def answers(model: object, features: np.ndarray, labels: np.ndarray) -> list[float]:
    return [abs(round(float(value), 2)) for value in model.fit(features, labels).predict(ask)]


def light() -> lightgbm.LGBMRegressor:
    return lightgbm.LGBMRegressor(verbose=-1, n_jobs=1, deterministic=True, force_row_wise=True)


ours, others, third = answers(light(), price, sold), answers(xgboost.XGBRegressor(n_jobs=1), price, sold), answers(HistGradientBoostingRegressor(), price, sold)
print(f"NaN and 0 for prices from 5 to 10: LightGBM {ours[0]} and {ours[1]}, XGBoost {others[0]} and {others[1]}, scikit-learn {third[0]} and {third[1]}")
shifted = answers(light(), price - 15, (price[:, 0] > 8).astype(float))
holes = price.copy()
holes[np.argmax(price[:, 0])] = np.nan
known = answers(light(), np.vstack([holes, np.full((50, 1), np.nan)]), np.concatenate([sold, np.ones(50)]))
print(f"LightGBM, features from -10 to -5: NaN {shifted[0]} and 0 {shifted[1]}; prices with missing values of dear items in training: NaN {known[0]}")
assert ours == [0, 0] and others == third == [1, 0] and shifted == [1, 1] and known[0] > 0.5
END
echo "as found: lightgbm-takes-a-missing-price-for-zero"
