"""Random raw dumps of public data sets, which ``fuzz_tables.py`` prepares."""

import json

from fuzz_values import HOSTILE

NAMES = ("movielens-dat", "movielens-csv", "amazon-2014", "amazon-2018", "amazon-2023", "yelp", "steam")


def write_raw(maker, folder):
    """Write the files of a data set into a folder; its name for ``genrec data prepare``, and its format."""
    form = maker.pick(NAMES)
    items = [f"{n:04d}" for n in range(12)]
    events = [
        (f"u{maker.rng.integers(5)}", maker.pick(items), 1_400_000_000 + int(maker.rng.integers(10**6)))
        for _ in range(int(maker.pick([1, 10, 60])))
    ]
    if form.startswith("movielens"):
        _movielens(maker, folder, form, items, events)
        return "movielens", form
    literal = repr if form in ("amazon-2014", "steam") else json.dumps
    names = {
        "amazon-2014": ("meta_X.json", "reviews_X_5.json", "asin", ("reviewerID", "asin", "unixReviewTime")),
        "amazon-2018": ("meta_X.json", "X_5.json", "asin", ("reviewerID", "asin", "unixReviewTime")),
        "amazon-2023": ("meta_X.jsonl", "X.jsonl", "parent_asin", ("user_id", "parent_asin", "timestamp")),
        "yelp": ("business.json", "review.json", "business_id", ("user_id", "business_id", "date")),
        "steam": ("steam_games.json", "steam_reviews.json", "id", ("username", "product_id", "date")),
    }[form]
    fields = (
        "title",
        "name",
        "brand",
        "categories",
        "category",
        "description",
        "price",
        "features",
        "details",
        "tags",
        "city",
    )
    meta = []
    for item in items:
        own = {names[2]: item}
        for field in fields:
            if maker.chance(0.6):
                own[field] = maker.value(
                    maker.pick(["text", "text", "number", "list", "lists", "object", "empty", "bool"])
                )
        meta.append(own)
    dates = form in ("yelp", "steam")
    reviews = [
        dict(zip(names[3], (user, item, "2018-07-07 22:09:11"[: maker.pick([10, 19])] if dates else at), strict=True))
        for user, item, at in events
    ]
    broken = maker.pick([0.0, 0.0, 0.03, 0.3])
    for name, records in ((names[0], meta), (names[1], reviews)):
        _write(maker, folder / name, [_spoilt(maker, literal(record), broken) for record in records])
    return form, form


def _movielens(maker, folder, form, items, events):
    broken = maker.pick([0.0, 0.0, 0.03, 0.3])
    sep, end = ("::", ".dat") if form.endswith("dat") else (",", ".csv")

    def clean(text):
        return " ".join(text.replace(sep, " ").replace('"', " ").replace("\n", " ").replace("\r", " ").split(" "))

    ratings = [sep.join([user[1:], item, "4.0", str(at)]) for user, item, at in events]
    movies = [
        sep.join([item, f"{clean(maker.text())} ({maker.pick(['1994', '2005– ', ''])})", "Drama|War"]) for item in items
    ]
    for name, head, lines in (
        ("ratings", "userId,movieId,rating,timestamp", ratings),
        ("movies", "movieId,title,genres", movies),
    ):
        lines = [_spoilt(maker, line, broken) for line in lines]
        _write(maker, folder / f"{name}{end}", lines if end == ".dat" else [head, *lines])


def _spoilt(maker, line, share):
    if not maker.chance(share):
        return line
    return maker.pick(
        [line[: len(line) // 2], line + line, "", maker.pick(HOSTILE).replace("\n", " "), "{}", "[" * 200]
    )


def _write(maker, path, lines):
    encoding = maker.pick(["utf-8", "utf-8", "utf-8", "latin-1"])
    path.write_bytes("\n".join(lines).encode(encoding, "replace"))
