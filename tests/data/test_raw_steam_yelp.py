"""Steam and Yelp readers on small files in the exact raw formats."""

import datetime as dt
import gzip
import json

import pytest

from genrec.data import Catalog
from genrec.data.raw import RAW_READERS
from genrec.errors import DataError

GAMES = [
    "{u'publisher': u'Kotoshiro', u'genres': [u'Action', u'Casual'], u'app_name': u'Lost Summoner Kitty', "
    "u'title': u'Lost Summoner Kitty', u'url': u'http://x', u'release_date': u'2018-01-04', u'tags': [u'Strategy'], "
    "u'discount_price': 4.49, u'specs': [u'Single-player'], u'price': 4.99, u'early_access': False, u'id': u'761140', "
    "u'developer': u'Kotoshiro'}",
    "{u'app_name': u'Ironbound \\xe9', u'price': u'Free To Play', u'id': u'643980', u'tags': []}",
    "{u'app_name': u'no id', u'price': 19.99}",
]
REVIEWS = [
    "{u'username': u'Chaos \"Syren\"', u'hours': 0.1, u'products': 41, u'product_id': u'725280', u'page_order': 0, "
    "u'date': u'2017-12-17', u'text': u\"It's\\nfun\", u'early_access': False, u'page': 1}",
    "{u'username': u'x', u'product_id': u'761140', u'user_id': u'76561198', u'date': u'2018-01-03', u'text': u''}",
]
USERS = [
    "{'user_id': '76561197970982479', 'user_url': 'http://x', 'reviews': ["
    "{'funny': '', 'posted': 'Posted November 5, 2011.', 'last_edited': '', 'item_id': '1250', 'helpful': '', "
    "'recommend': True, 'review': 'Simple yet'}, "
    "{'funny': '', 'posted': 'Posted July 14.', 'item_id': '22200', 'recommend': True, 'review': ''}]}",
    "{'user_id': 'js41637', 'user_url': 'http://x', 'reviews': []}",
    "{'user_id': 'evcentric', 'reviews': [{'posted': 'Posted February 29.', 'item_id': '248820'},"
    " {'posted': 'Posted December 4, 2015.', 'item_id': '370360'}]}",
]


def seconds(*day):
    return int(dt.datetime(*day, tzinfo=dt.UTC).timestamp())


def pack(path, lines):
    path.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))


def test_steam_reviews(tmp_path):
    pack(tmp_path / "steam_games.json.gz", GAMES)
    pack(tmp_path / "steam_reviews.json.gz", REVIEWS)
    raw = RAW_READERS["steam"](tmp_path)
    assert raw.interactions.rows() == [
        ('Chaos "Syren"', "725280", seconds(2017, 12, 17)),
        ("x", "761140", seconds(2018, 1, 3)),
    ]
    first, second = Catalog.from_frame(raw.items).frame.to_dicts()
    assert first == {
        "item_id": "761140",
        "title": "Lost Summoner Kitty",
        "developer": "Kotoshiro",
        "publisher": "Kotoshiro",
        "release_date": "2018-01-04",
        "price": "4.99",
        "genres": ["Action", "Casual"],
        "tags": ["Strategy"],
        "specs": ["Single-player"],
    }
    assert second["title"] == "Ironbound é"
    assert second["price"] == "Free To Play"
    assert raw.report.count("missing-ids") == 1


def test_australian_user_reviews(tmp_path):
    pack(tmp_path / "steam_games.json.gz", GAMES)
    pack(tmp_path / "australian_user_reviews.json.gz", USERS)
    raw = RAW_READERS["steam"](tmp_path)
    assert raw.interactions.rows() == [
        ("76561197970982479", "1250", seconds(2011, 11, 5)),
        ("76561197970982479", "22200", seconds(2016, 7, 14)),
        ("evcentric", "248820", seconds(2016, 2, 29)),
        ("evcentric", "370360", seconds(2015, 12, 4)),
    ]


def test_steam_missing_file(tmp_path):
    pack(tmp_path / "steam_games.json.gz", GAMES)
    with pytest.raises(DataError, match=r"no file of reviews(.|\n)*australian_user_reviews\.json\.gz"):
        RAW_READERS["steam"](tmp_path)


def test_yelp(tmp_path):
    business = {
        "business_id": "Pns2l4eNsfO8kk83dixA6A",
        "name": "Abby Rappoport, LAC &amp; CMQ",
        "address": "1616 Chapala St, Ste 2",
        "city": "Santa Barbara",
        "state": "CA",
        "postal_code": "93101",
        "latitude": 34.4266787,
        "stars": 5.0,
        "review_count": 7,
        "is_open": 0,
        "attributes": {"ByAppointmentOnly": "True"},
        "categories": "Doctors, Traditional Chinese Medicine",
        "hours": None,
    }
    review = {
        "review_id": "KU_O5udG6zpxOg-VcAEodg",
        "user_id": "mh_-eMZ6K5RLWhZyISBhwA",
        "business_id": business["business_id"],
        "stars": 3.0,
        "useful": 0,
        "text": "If you decide\nto eat here",
        "date": "2018-07-07 22:09:11",
    }
    lines = [json.dumps(business), json.dumps({**business, "business_id": "b2", "categories": None})]
    (tmp_path / "yelp_academic_dataset_business.json").write_text("\n".join(lines))
    (tmp_path / "yelp_academic_dataset_review.json").write_text(json.dumps(review) + "\n")
    (tmp_path / "yelp_academic_dataset_user.json").write_text("{}")
    raw = RAW_READERS["yelp"](tmp_path)
    assert raw.interactions.rows() == [(review["user_id"], business["business_id"], seconds(2018, 7, 7, 22, 9, 11))]
    assert Catalog.from_frame(raw.items).frame.rows() == [
        (
            business["business_id"],
            "Abby Rappoport, LAC & CMQ",
            ["Doctors", "Traditional Chinese Medicine"],
            "Santa Barbara",
            "CA",
        ),
        ("b2", "Abby Rappoport, LAC & CMQ", None, "Santa Barbara", "CA"),
    ]
    with pytest.raises(DataError, match="no file of businesses"):
        RAW_READERS["yelp"](tmp_path / "yelp_academic_dataset_review.json")
