#!/usr/bin/env bash
# Merging today's item into yesterday's with protobuf gives codes 1, 2, 3, 4 from 1, 2 and 3, 4, and keeps the old score if the new one is
# 0.
#
# Guess beforehand: what today's message names replaces what was there, as update() of a dictionary does.
# Found: MergeFrom (and two messages written one after the other, read as one) appends repeated fields. A semantic ID of two codes gets
# four. A score of 0.0 is not written at all, as it is what an unset field reads as, so yesterday's 0.5 stays; so it is with stock 0. In
# JSON the score 0.0 is missing as well, an int64 id is text, and in a Struct the id 1234567890123456789 is the float
# 1.2345678901234568e+18.
# Why it matters: updates of features and items are sent so between services. What fell to nothing stays as it was, and codes grow with
# every update until the model meets IDs that are too long.
# Output seen:
#   merged: codes [1, 2, 3, 4], score 0.5, stock 4
#   today as JSON: {'id': '1234567890123456789', 'codes': [3, 4]}; id in a Struct: 1.2345678901234568e+18
# Usage: bash findings/protobuf-merge-puts-the-new-codes-behind-the-old-ones.sh   (installs protobuf==7.36.2 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check protobuf==7.36.2
env/bin/python - <<'END'
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory, struct_pb2

FIELDS = (("id", 3, 1), ("score", 1, 1), ("codes", 5, 3), ("stock", 5, 1))
file = descriptor_pb2.FileDescriptorProto(name="item.proto", syntax="proto3", package="shop")
message = file.message_type.add(name="Item")
for number, (name, kind, label) in enumerate(FIELDS, 1):
    message.field.add(name=name, number=number, type=kind, label=label)
pool = descriptor_pool.DescriptorPool()
pool.AddSerializedFile(file.SerializeToString())
Item = message_factory.GetMessageClass(pool.FindMessageTypeByName("shop.Item"))

yesterday = Item(id=1234567890123456789, score=0.5, codes=[1, 2], stock=4)
today = Item(id=1234567890123456789, score=0.0, codes=[3, 4], stock=0)
read = Item.FromString(yesterday.SerializeToString() + today.SerializeToString())
yesterday.MergeFrom(today)
free = struct_pb2.Struct()
free.update({"id": 1234567890123456789})
print(f"merged: codes {list(yesterday.codes)}, score {yesterday.score}, stock {yesterday.stock}")
print(f"today as JSON: {json_format.MessageToDict(today)}; id in a Struct: {free['id']}")
assert list(yesterday.codes) == [1, 2, 3, 4] and yesterday.score == 0.5 and yesterday.stock == 4 and read == yesterday
assert json_format.MessageToDict(today) == {"id": "1234567890123456789", "codes": [3, 4]} and free["id"] == 1.2345678901234568e18
END
echo "as found: protobuf-merge-puts-the-new-codes-behind-the-old-ones"
