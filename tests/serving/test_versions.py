"""Catalogues that change while requests come: reload, roll back, requests in flight."""

import json
import shutil
import threading

import numpy as np
import polars as pl
import pytest
from fastapi.testclient import TestClient
from safetensors.numpy import load_file, save_file

from genrec.artifacts import write_manifest
from genrec.data import Catalog
from genrec.errors import ArtifactError, ConfigError, GenRecError, ModelError
from genrec.generative.growth import with_index
from genrec.index.semantic_index import SemanticIndex
from genrec.serving import ServeSettings, Service, Source, build_app
from genrec.serving.errors import Refusal

TOKEN = "a-token-of-administrators"
HISTORY = ["i000", "i006"]


@pytest.fixture
def growing(trained, tiny_index, tmp_path):
    """A service over an index in a folder of its own, and a function that adds items to it there."""
    place = tmp_path / "index"
    tiny_index.save(place)
    source = Source(trained[1], index=place, parts={"new": ("categories=new",)})
    service = Service({"shop": source}, ServeSettings(keep_versions=2), token=TOKEN)

    def grow(names):
        items = pl.DataFrame(
            {"item_id": names, "title": [f"red cup {name}" for name in names], "categories": [["new"]] * len(names)}
        )
        SemanticIndex.load(place).encode_new(Catalog.from_frame(items)).save(place, overwrite=True)

    yield service, grow, place
    service.stop()


@pytest.fixture
def web(growing):
    return TestClient(build_app(growing[0]), raise_server_exceptions=False)


def admin(web, action, **body):
    return web.post(f"/admin/{action}", json=body, headers={"authorization": f"Bearer {TOKEN}"})


def test_a_grown_index_is_swapped_in_and_rolled_back(web, growing):
    service, grow, _ = growing
    assert admin(web, "reload").json()["result"] == "unchanged"
    before = web.get("/items/n1")
    assert before.status_code == 404
    old = web.post("/recommend", json={"history": HISTORY}).json()
    grow(["n1", "n2"])
    done = admin(web, "reload").json()
    assert (done["result"], done["version"], done["items"]) == ("swapped", 2, 62)
    new = web.post("/recommend", json={"history": HISTORY, "within": "new", "k": 2}).json()
    assert {item["item_id"] for item in new["items"]} == {"n1", "n2"}
    assert new["index_version"] == done["index_version"] != old["index_version"]
    assert web.get("/items", params={"query": "cup n1"}).json()["total"] == 1
    assert service.models["shop"].current.recommender.model is service.models["shop"].versions[0].recommender.model
    back = admin(web, "rollback").json()
    assert (back["result"], back["version"], back["index_version"]) == ("rolled-back", 1, old["index_version"])
    again = web.post("/recommend", json={"history": HISTORY}).json()
    assert again["items"] == old["items"]
    assert admin(web, "rollback").status_code == 409
    assert admin(web, "rollback", version=2).json()["index_version"] == new["index_version"]
    grow(["n3"])
    assert admin(web, "reload").json()["version"] == 3
    assert [one["version"] for one in web.get("/v1/models").json()["data"][0]["versions"]] == [2, 3]
    assert admin(web, "rollback", version=1).status_code == 409


def test_a_network_whose_weights_are_no_numbers_is_not_swapped_in(trained, tmp_path):
    """It would answer everybody with nothing."""
    folder = tmp_path / "model"
    shutil.copytree(trained[1], folder)
    service = Service({"shop": Source(folder)}, token=TOKEN)
    web = TestClient(build_app(service), raise_server_exceptions=False)
    path = folder / "model" / "model.safetensors"
    weights = {name: np.full_like(value, np.nan) for name, value in load_file(path).items()}
    save_file(weights, path, metadata={"format": "pt"})
    write_manifest(folder, "recommender.json", json.loads((folder / "recommender.json").read_text()))
    refused = admin(web, "reload")
    assert refused.status_code == 409
    assert "no numbers" in refused.text
    assert web.post("/recommend", json={"history": HISTORY, "k": 3}).json()["items"]
    service.stop()
    with pytest.raises(ModelError, match="no numbers"):
        Service({"shop": Source(folder)})


def test_only_administrators_administrate(web, trained):
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": TOKEN}, {"authorization": "Bearer \xe9"}):
        answer = web.post("/admin/reload", headers={name: value.encode("latin-1") for name, value in headers.items()})
        assert answer.status_code == 401
    service = Service({"shop": Source(trained[1])})
    closed = TestClient(build_app(service))
    assert admin(closed, "reload").status_code == 404
    service.stop()


def test_what_cannot_be_loaded_leaves_everything_as_it_is(web, growing, tiny_index, tmp_path):
    service, _, place = growing
    tiny_index.save(tmp_path / "other")
    (place / "codes.safetensors").write_bytes(b"broken")
    (place / "index.json").write_text((place / "index.json").read_text() + " ")
    refused = admin(web, "reload")
    assert refused.status_code == 409
    assert "The current version stays" in refused.json()["detail"][0]["msg"]
    assert web.post("/recommend", json={"history": HISTORY}).is_success
    assert admin(web, "reload", index="/etc").status_code == 422  # no request says where to read
    assert [one.number for one in service.models["shop"].versions] == [1]
    assert 'genrec_reloads_total{model="shop",result="failed"} 1.0' in web.get("/metrics").text


def test_requests_in_flight_end_on_the_version_that_they_began_with(growing):
    service, grow, _ = growing
    model = service.models["shop"]
    old = model.current
    entered, gate = threading.Event(), threading.Event()
    answer = old.recommender.answer

    def slow(histories, request):
        entered.set()
        gate.wait(10)
        return answer(histories, request)

    old.recommender.answer = slow
    with TestClient(build_app(service)) as web:
        found = []
        asking = threading.Thread(
            target=lambda: found.append(web.post("/recommend", json={"history": HISTORY, "k": 60}).json())
        )
        asking.start()
        assert entered.wait(10)
        grow(["n1"])
        old.recommender.answer = answer  # warming asks the new version, never this one
        assert model.reload().number == 2
        gate.set()
        asking.join(10)
    assert found[0]["version"] == 1
    assert "n1" not in {item["item_id"] for item in found[0]["items"]}


def test_an_index_of_another_kind_is_refused(trained, tiny_index):
    stranger = tiny_index.catalog.select(range(30))
    with pytest.raises(ArtifactError, match="has not grown"):
        with_index(trained[0], SemanticIndex.build(stranger, tiny_index.recipe))


@pytest.mark.parametrize("left", ["nothing", "a recommender", "a file"])
def test_a_reload_of_something_else_says_what_is_there_and_is_in_the_log(left, growing, trained, caplog):
    service, _, place = growing
    shutil.rmtree(place)
    if left == "a recommender":
        shutil.copytree(trained[1], place)
    elif left == "a file":
        place.write_text("index")
    with pytest.raises(Refusal) as refused:
        service.reload(None)
    said = {"nothing": "nothing of this name exists", "a recommender": "it is a", "a file": "it is a file"}
    assert f"This is not a genrec index: {said[left]}" in str(refused.value)
    assert "The reload of 'shop' has failed, and version 1 stays." in caplog.text
    assert str(place) in caplog.text
    assert service.models["shop"].current.number == 1


def test_folders_may_be_texts(trained):
    service = Service({"shop": Source(str(trained[1]), index=str(trained[1] / "index"))})
    assert service.models["shop"].current.number == 1
    service.stop()


def test_a_service_that_cannot_be_is_refused(trained, counts, tmp_path):
    with pytest.raises(GenRecError, match="recommender"):
        Service({"x": Source(tmp_path)})
    with pytest.raises(ConfigError, match="A baseline has no"):
        Service({"x": Source(counts, changes=("beams=3",))})
    with pytest.raises(ConfigError, match="Unknown item field"):
        Service({"x": Source(trained[1], parts={"cheap": ("price<3",)})})
    with pytest.raises(ValueError, match="queue_users"):
        ServeSettings(queue_users=10)
