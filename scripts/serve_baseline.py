"""The usual thing: a FastAPI handler around Hugging Face's ``generate`` with a prefix function. For bench_serve.py.

python scripts/serve_baseline.py runs/serve/t5
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import torch
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from serve_models import Generate

from genrec.generative.recommender import GenerativeRecommender

app = FastAPI()


class Asked(BaseModel):
    """A request."""

    history: list[str]
    k: int = 10


@app.post("/recommend")
def recommend(asked: Asked) -> dict:
    """Items for a history."""
    items = app.state.generate(asked.history, app.state.beams, asked.k)
    return {"items": [{"item_id": item, "rank": rank} for rank, item in enumerate(items, start=1)]}


if __name__ == "__main__":
    torch.set_num_threads(1)
    recommender = GenerativeRecommender.from_pretrained(Path(sys.argv[1]))
    app.state.generate, app.state.beams = Generate(recommender), recommender.beams
    app.state.generate(recommender.item_ids[:3].tolist(), recommender.beams, 10)
    sock = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{sock.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False)).run(sockets=[sock])
