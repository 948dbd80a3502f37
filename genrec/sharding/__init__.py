"""Batch work in shards: histories larger than memory in, one Parquet file a shard out, resumable after any stop."""

from __future__ import annotations

from genrec.sharding.job import JobSettings, ShardedJob
from genrec.sharding.run import run_sharded

__all__ = ["JobSettings", "ShardedJob", "run_sharded"]
