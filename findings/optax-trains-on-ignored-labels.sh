#!/usr/bin/env bash
# The label -100 ("ignore this token") makes optax train the model to answer with token V - 100.
#
# Guess beforehand: a label below 0 gives no loss (as in torch, whose data collators write -100), or NaN, or raises.
# Found: softmax_cross_entropy_with_integer_labels counts it from the end, as an index of Python. Of 300 tokens, -100 is token 200: the
# loss is finite and its gradient raises the probability of token 200 at each masked place. With fewer than 100 tokens it
# is NaN, which one would notice. Through one_hot the same label has the loss 0.
# Why it matters: collators of transformers mask prompts and padding with -100, and the mask is most of a batch. In a vocabulary of
# semantic IDs, token V - 100 is a code of the last level; the loss falls well, as one constant answer is easy to learn.
# Output seen:
#   labels [5, -100]: raised tokens [5, 200], loss of -100 is that of token 200 True; 50 tokens: nan; one-hot 0.0
# Usage: bash findings/optax-trains-on-ignored-labels.sh   (installs optax==0.2.8 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check optax==0.2.8 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
env/bin/python - <<'END'
import jax
import jax.numpy as jnp
import optax

loss = optax.softmax_cross_entropy_with_integer_labels
logits = jax.random.normal(jax.random.key(0), (2, 300))
labels = jnp.array([5, -100])
raised = jnp.argmin(jax.grad(lambda values: loss(values, labels).sum())(logits), axis=1).tolist()
same = bool(loss(logits, labels)[1] == loss(logits, jnp.array([5, 200]))[1])
small = float(loss(logits[:, :50], labels)[1])
hot = abs(float(optax.softmax_cross_entropy(logits, jax.nn.one_hot(labels, 300))[1]))
print(f"labels {labels.tolist()}: raised tokens {raised}, loss of -100 is that of token 200 {same}; 50 tokens: {small}; one-hot {hot}")
assert raised == [5, 200] and same and small != small and hot == 0
END
echo "as found: optax-trains-on-ignored-labels"
