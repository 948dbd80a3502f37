#!/usr/bin/env bash
# category_encoders' TargetEncoder makes clicks that are coin tosses predictable with AUC 0.8; scikit-learn's TargetEncoder does not.
#
# Guess beforehand: two encoders of one name do the same; fit_transform is fit and transform in one.
# Found: category_encoders writes the mean of the user's clicks, with the click of the row itself, so a user of three rows carries a third
# of each answer. JamesSteinEncoder, MEstimateEncoder and WOEEncoder of the package do so as well; its CatBoostEncoder and scikit-learn's
# fit_transform, which encode a row by other rows, are at 0.5. On new rows all are at 0.5. scikit-learn's fit and transform in two calls
# leaks like the others: for it the two ways differ.
# Why it matters: user and item ids are encoded in this way for click models. A model that is trained with the column trusts it above all
# else: it fits its training data, and what it learned of the other columns is lost. Early in a log, where users have few rows, the leak is
# largest.
# Output seen:
#   AUC of the encoded user for random clicks: category_encoders TargetEncoder above 0.75, its CatBoostEncoder about 0.5, scikit-learn fit_transform about 0.5, scikit-learn fit and transform above 0.75; on new rows about 0.5
#   AUC of a click model on new clicks: with the one true column 0.82, with category_encoders' user beside it below 0.72, with scikit-learn's user beside it 0.82
# Usage: bash findings/category-encoders-target-encoder-predicts-coin-tosses.sh   (installs category_encoders==2.11.2 scikit-learn==1.8.0 pandas==2.3.3 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check category_encoders==2.11.2 scikit-learn==1.8.0 pandas==2.3.3 numpy==2.4.6
env/bin/python - <<'END'
import warnings

warnings.filterwarnings("ignore")
import category_encoders
import numpy as np
import pandas as pd
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import TargetEncoder

rng = np.random.default_rng(0)
users = pd.DataFrame({"user": rng.integers(0, 1000, 6000).astype(str)})
old, new, coins = users[:3000], users[3000:], rng.integers(0, 2, 6000)


def area(column, clicks: np.ndarray) -> float:
    return float(roc_auc_score(clicks, np.asarray(column).ravel()))


encoder = category_encoders.TargetEncoder()
areas = {
    "category_encoders TargetEncoder": area(encoder.fit_transform(old, coins[:3000]), coins[:3000]),
    "its CatBoostEncoder": area(category_encoders.CatBoostEncoder().fit_transform(old, coins[:3000]), coins[:3000]),
    "scikit-learn fit_transform": area(TargetEncoder(random_state=0).fit_transform(old, coins[:3000]), coins[:3000]),
    "scikit-learn fit and transform": area(TargetEncoder(random_state=0).fit(old, coins[:3000]).transform(old), coins[:3000]),
}
later = area(encoder.transform(new), coins[3000:])
fact = rng.normal(size=(6000, 1))
clicks = (rng.random(6000) < 1 / (1 + np.exp(-1.5 * fact[:, 0]))).astype(int)


def model(encoder) -> float:
    """AUC on new clicks of a model of the true column, and of the encoded user if there is an encoder."""
    train, test = [fact[:3000]], [fact[3000:]]
    if encoder is not None:
        train.append(np.asarray(encoder.fit_transform(old, clicks[:3000])))
        test.append(np.asarray(encoder.transform(new)))
    fitted = GradientBoostingClassifier(random_state=0, n_estimators=50).fit(np.hstack(train), clicks[:3000])
    return area(fitted.predict_proba(np.hstack(test))[:, 1], clicks[3000:])


alone, leaky, strict = model(None), model(category_encoders.TargetEncoder()), model(TargetEncoder(random_state=0))


def about(value: float) -> str:
    return "above 0.75" if value > 0.75 else "about 0.5" if abs(value - 0.5) < 0.05 else f"{value:.2f}"


print("AUC of the encoded user for random clicks: " + ", ".join(f"{name} {about(value)}" for name, value in areas.items()) + f"; on new rows {about(later)}")
print(f"AUC of a click model on new clicks: with the one true column {alone:.2f}, with category_encoders' user beside it {'below 0.72' if leaky < 0.72 else leaky}, with scikit-learn's user beside it {strict:.2f}")
assert [about(value) for value in areas.values()] == ["above 0.75", "about 0.5", "about 0.5", "above 0.75"] and about(later) == "about 0.5"
assert alone > 0.8 and strict > 0.8 and leaky < 0.72
END
echo "as found: category-encoders-target-encoder-predicts-coin-tosses"
