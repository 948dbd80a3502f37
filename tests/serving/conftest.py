"""A service around a tiny recommender that was really trained, and around a baseline."""

import pytest

pytest.importorskip("fastapi")

from fastapi.testclient import TestClient

from genrec.baselines import Popularity
from genrec.data import Interactions
from genrec.serving import ServeSettings, Service, Source, build_app

TOKEN = "a-token-of-administrators"


@pytest.fixture(scope="session")
def counts(tables, tiny_index, tmp_path_factory):
    """Folder of a saved baseline."""
    folder = tmp_path_factory.mktemp("counts") / "popular"
    histories = Interactions.read(tables[1]).histories(tiny_index.item_ids)
    Popularity().fit(histories, tiny_index.item_ids).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def service(trained, tables, counts):
    sources = {
        "shop": Source(trained[1], parts={"cups": ("categories=cup",), "outdoor": ("categories=outdoor",)}),
        "popular": Source(counts),
    }
    made = Service(
        sources,
        ServeSettings(max_k=50, max_beams=80, max_history=40, max_users=20, max_list=100, max_body=100_000),
        tables={None: Interactions.read(tables[1])},
        token=TOKEN,
    )
    yield made
    made.stop()


@pytest.fixture(scope="session")
def client(service):
    return TestClient(build_app(service), raise_server_exceptions=False)


@pytest.fixture(scope="session")
def recommender(trained):
    return trained[0]
