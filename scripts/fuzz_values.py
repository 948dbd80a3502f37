"""Random values, with everything that tables of real people hold: ids, times, text, numbers, lists."""

import numpy as np

HOSTILE = [
    *("[/b] red", "[bold]x", "{{ item.title }}", "{% raw %}", "<0_1>", "<|endoftext|>", "</s>", "%s%n", "$(rm -rf)"),
    *("=1+1", "'; DROP TABLE", "\\", "\\n", "a\\", '"', '""', "'", "a,b", "a;b", "a\tb", "two\nlines", "cr\rlf\r\n"),
    *(
        "\u2028",
        "a\u2029b",
        "\x85",
        "a\x0bb",
        "\x0c",
        "\x1c\x1d\x1e",
        "\x00",
        "nul\x00",
        "\x1b[31mred",
        "\x9b1m",
        "\x07",
    ),
    *("\u202eabc", "\ufeff", "\ufffd", "\u200b", "é", "日本語", "😀", "👩‍👩‍👧", "\ue000", "e\u0301", "ﬁ", "İ"),
    *(
        "&amp;",
        "Caf&eacute; &#8482;",
        "&amp;quot;XL&amp;quot;",
        "<b>x</b>",
        "<br>",
        "<div>",
        "a < b > c",
        "&#0;",
        "<!--",
    ),
    *("nan", "NaN", "null", "None", "<NA>", "", " ", "  x  ", "true", "False", "0", "00", "-0", "1.0", "1e3", "1_000"),
    *("[]", "{}", "[1]", '["a", "b"]', "['a']", '{"k": "v"}', '["\\ud800"]', "[[", "{1, 2}", "(1,)", "[NaN]", "[0x1f]"),
    *("getTime();", "http://x/?a=1&copy=2", "1/2/2023", "2023-01-02", "9" * 30, "-" * 50, "x" * 3000, "[" * 300),
]
_MISSING = [None, "", "nan", "null", "None", " "]


class Maker:
    """Draws tables from one seed."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def chance(self, share):
        return self.rng.random() < share

    def pick(self, options):
        return options[int(self.rng.integers(len(options)))]

    def text(self):
        if self.chance(0.25):
            return self.pick(HOSTILE)
        words = [
            self.pick(["red", "cup", "tea", "lamp", "Übung", "3", "XL", "and"]) for _ in range(self.rng.integers(1, 6))
        ]
        if self.chance(0.1):
            words.insert(int(self.rng.integers(len(words))), self.pick(HOSTILE))
        return " ".join(words)

    def ids(self, n_known):
        """A way to write ids, the same for a column: ``id(number) -> value``."""
        form = self.pick(["plain", "zeros", "number", "float", "letters", "hostile", "blanks", "asin"])
        write = {
            "plain": lambda n: f"i{n}",
            "zeros": lambda n: f"{n:04d}",
            "number": lambda n: n,
            "float": lambda n: float(n),
            "letters": lambda n: "abcdefghijklmnopqrstuvwxyz"[n % 26] * (1 + n // 26),
            "hostile": lambda n: HOSTILE[n % len(HOSTILE)] + str(n),
            "blanks": lambda n: f" {n} ",
            "asin": lambda n: f"B{n:09d}",
        }[form]
        broken = self.pick([0.0, 0.0, 0.0, 0.02, 0.3])
        return lambda: self.pick(_MISSING) if self.chance(broken) else write(int(self.rng.integers(n_known)))

    def times(self):
        """A way to write times."""
        start = 1_600_000_000

        def form():
            at = start + int(self.rng.integers(10**7))
            return {
                "s": at,
                "ms": at * 1000,
                "us": at * 10**6,
                "text": str(at),
                "float": at + 0.5,
                "exponent": "1.6e9",
                "iso": str(np.datetime64(at, "s")).replace("T", self.pick(["T", " "])) + self.pick(["", "Z", "+02:00"]),
                "day": str(np.datetime64(at, "D")) if False else str(np.datetime64(at, "s"))[:10],
                "slashes": "03/04/2023",
                "count": int(self.rng.integers(100)),
                "huge": self.pick([2**63, -(2**63), 2**62, 10**30, 9007199254740993, -1]),
                "missing": self.pick(_MISSING),
                "words": self.pick(["soon", "inf", "NaT", "2023-02-30", "0000-00-00", "١٢٣"]),
            }

        kinds = list(form())
        usual = self.pick(kinds[:10])
        mixed = self.pick([0.0, 0.0, 0.02, 0.5])
        return lambda: form()[self.pick(kinds) if self.chance(mixed) else usual]

    def value(self, kind):
        """A value of a further column."""
        if self.chance(0.15):
            return None
        if kind == "mixed":
            kind = self.pick(["text", "number", "list", "object", "bool", "text"])
        return {
            "text": self.text,
            "number": lambda: self.pick([1, 2.5, -3, 0, 1e300, 10**20, 9007199254740993, 0.1, 12]),
            "integer": lambda: int(self.rng.integers(-5, 100)),
            "numbers as text": lambda: self.pick(["1", "2.50", "007", "-3", "1e5", "9.99"]),
            "list": lambda: [self.text() for _ in range(self.rng.integers(0, 4))],
            "lists": lambda: [[self.text(), "x"], [self.text()]],
            "object": lambda: {
                self.pick(["k", "size", "a b"]): self.pick(["v", 1, None, ["x"], {"y": 1}]),
                "z": self.text(),
            },
            "objects": lambda: [{"name": self.text()}],
            "bool": lambda: self.chance(0.5),
            "empty": lambda: None,
        }[kind]()
