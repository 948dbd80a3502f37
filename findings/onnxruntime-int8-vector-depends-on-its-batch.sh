#!/usr/bin/env bash
# After quantize_dynamic, the vector of one text depends on the texts that are encoded beside it.
#
# Guess beforehand: dynamic means one scale a row (a text), so a batch gives what single texts give, up to rounding.
# Found: the scale of the activations is taken over the whole input. One large row in the batch makes all other rows coarse:
# the same row alone and in company has a cosine of about .997, alone against float32 .9999.
# Why it matters: int8 sentence encoders on CPUs are made in this way. The semantic ID of an item then depends on the items
# that were encoded with it, and adding items later gives other codes to the same text.
# Output seen:
#   alone against float32 0.99996, in company against float32 0.99698, alone against in company 0.99709
# Usage: bash findings/onnxruntime-int8-vector-depends-on-its-batch.sh   (installs onnxruntime==1.32.0 onnx==1.23.2 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check onnxruntime==1.32.0 onnx==1.23.2 numpy==2.3.5
env/bin/python - <<'END'
import logging
import numpy as np, onnx, onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

logging.disable(logging.WARNING)
rng = np.random.default_rng(0)
weight = rng.normal(size=(64, 64)).astype(np.float32) / 8
value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", 64])
graph = helper.make_graph([helper.make_node("MatMul", ["x", "weight"], ["y"])], "layer", [value("x")], [value("y")], [numpy_helper.from_array(weight, "weight")])
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), "layer.onnx")
quantize_dynamic("layer.onnx", "int8.onnx", weight_type=QuantType.QInt8)
plain, small = (onnxruntime.InferenceSession(name, providers=["CPUExecutionProvider"]) for name in ("layer.onnx", "int8.onnx"))
row, mates = rng.normal(size=(1, 64)).astype(np.float32), rng.normal(size=(31, 64)).astype(np.float32)
mates[0] *= 20
right = plain.run(None, {"x": row})[0][0]
alone = small.run(None, {"x": row})[0][0]
company = small.run(None, {"x": np.concatenate([row, mates])})[0][0]
cosine = lambda a, b: float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
print(f"alone against float32 {cosine(alone, right):.5f}, in company against float32 {cosine(company, right):.5f}, alone against in company {cosine(alone, company):.5f}")
assert cosine(alone, right) > 0.9995 and cosine(company, right) < 0.9985 and cosine(alone, company) < 0.9985
END
echo "as found: onnxruntime-int8-vector-depends-on-its-batch"
