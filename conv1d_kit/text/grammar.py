"""Short reviews in which only the order of the words decides, so that a bag of words is at chance.

Every verdict stands in VERDICTS as two sentences of the same words: "good, not bad" and "bad, not good".
A review draws its words first and tosses a coin for the order, so each bag of words is positive with
probability one half, exactly; what decides is which word stands next to "not", "rather", "lacks"….
"""

from __future__ import annotations

import numpy as np

from ..errors import check_whole

__all__ = ["LABELS", "VERDICTS", "make_reviews", "review"]

LABELS = ("negative", "positive")


def make_reviews(n: int, *, seed: int) -> tuple[list[str], list[str]]:
    """`n` reviews, half of them (rounded up) positive, in random order.

    Parameters
    ----------
    n : int >= 1
    seed : int >= 0

    Returns
    -------
    texts, labels : list of str
        Labels are rows of LABELS.

    Raises
    ------
    InputError
        If `n` is not a positive int.

    Examples
    --------
    >>> texts, labels = make_reviews(2, seed=1)
    >>> sorted(labels)
    ['negative', 'positive']
    """
    check_whole("n", n)
    rng = np.random.default_rng(seed)
    coins = rng.permutation(np.arange(n) % 2 == 0)
    return [review(rng, positive=bool(c)) for c in coins], [LABELS[int(c)] for c in coins]


def review(rng: np.random.Generator, *, positive: bool, verdict: int | None = None) -> str:
    """One review; the generator decides its words, `positive` their order.

    Parameters
    ----------
    rng : numpy Generator
    positive : bool
    verdict : int, optional
        Row of VERDICTS; drawn where not given.

    Examples
    --------
    >>> for positive in (True, False):
    ...     print(review(np.random.default_rng(3), positive=positive))
    They played for ninety minutes. The encore was not dull at all, great in fact. More next week.
    They played for ninety minutes. The encore was not great at all, dull in fact. More next week.
    """
    place = _PLACES[rng.integers(len(_PLACES))]
    drawn = int(rng.integers(len(VERDICTS)))
    orders = VERDICTS[drawn if verdict is None else verdict]
    words = {
        "g": _pick(rng, _GOOD),
        "b": _pick(rng, _BAD),
        "good": _pick(rng, _GOOD_NOUNS),
        "bad": _pick(rng, _BAD_NOUNS),
        "part": _pick(rng, place["parts"]),
        "thing": place["thing"],
        "adverb": _pick(rng, _ADVERBS),
    }
    opening = _pick(rng, place["openings"]) if rng.random() < 0.7 else ""
    closing = _pick(rng, _CLOSINGS) if rng.random() < 0.5 else ""
    middle = orders[0 if positive else 1].format(**words)
    return " ".join(_sentence(s) for s in (opening, middle, closing) if s)


def _pick(rng: np.random.Generator, words: tuple[str, ...]) -> str:
    return words[rng.integers(len(words))]


def _sentence(words: str) -> str:
    return words[0].upper() + words[1:] + "."


# (positive, negative): the same words, commas included, in two orders
VERDICTS: tuple[tuple[str, str], ...] = (
    ("the {part} was {g}, not {b}", "the {part} was {b}, not {g}"),
    ("the {part} was not {b} at all, {g} in fact", "the {part} was not {g} at all, {b} in fact"),
    ("the {part} was not at all {b}, quite {g}", "the {part} was not at all {g}, quite {b}"),
    ("the {part} was {g} rather than {b}", "the {part} was {b} rather than {g}"),
    ("the {part} was not {b} but {g}", "the {part} was not {g} but {b}"),
    ("the {part} was anything but {b}, simply {g}", "the {part} was anything but {g}, simply {b}"),
    ("the {part} was never {b} and always {g}", "the {part} was never {g} and always {b}"),
    ("the {part} was more {g} than {b}", "the {part} was more {b} than {g}"),
    ("{adverb} {g} and not {adverb} {b}, that {part}", "{adverb} {b} and not {adverb} {g}, that {part}"),
    ("the {part} was far from {b}, I call it {g}", "the {part} was far from {g}, I call it {b}"),
    ("they called the {part} {b}, we found it {g}", "they called the {part} {g}, we found it {b}"),
    ("the {part} has {good} and lacks {bad}", "the {part} has {bad} and lacks {good}"),
    ("plenty of {good} and no {bad} in the {part}", "plenty of {bad} and no {good} in the {part}"),
    ("in the {part} the {good} outweighs the {bad}", "in the {part} the {bad} outweighs the {good}"),
    ("we loved the {part} and hated to leave", "we hated the {part} and loved to leave"),
    ("I would go back and never leave, what a {thing}", "I would leave and never go back, what a {thing}"),
)

_GOOD = (
    "good",
    "great",
    "lovely",
    "brilliant",
    "charming",
    "delightful",
    "excellent",
    "superb",
    "pleasant",
    "fresh",
)
_BAD = ("bad", "awful", "dull", "dreadful", "boring", "terrible", "poor", "bland", "tedious", "horrible")
_GOOD_NOUNS = ("charm", "warmth", "wit", "character", "comfort", "elegance")
_BAD_NOUNS = ("noise", "clutter", "fuss", "chaos", "gloom", "tedium")
_ADVERBS = ("really", "particularly", "especially", "truly")
_CLOSINGS = (
    "my sister came along", "we paid with a card", "the car park was round the corner", "it rained all evening",
    "more next week", "I wrote this on the train home", "opinions in our group of five differed",
    "a friend told us about it", "we had booked a month ahead", "that is my view",
)  # fmt: skip
_PLACES: tuple[dict, ...] = (
    {
        "thing": "cinema",
        "parts": ("film", "plot", "ending", "soundtrack", "dialogue", "acting"),
        "openings": (
            "we saw it on a Tuesday night", "it runs for two hours", "this is the sequel to last year's hit",
            "I watched it with my brother", "the director made three films before this one",
        ),
    },
    {
        "thing": "hotel",
        "parts": ("room", "breakfast", "lobby", "view", "garden", "pool"),
        "openings": (
            "we stayed for three nights", "it stands close to the station", "our room was on the fourth floor",
            "I was in town for a conference", "we arrived after midnight",
        ),
    },
    {
        "thing": "restaurant",
        "parts": ("soup", "service", "menu", "pasta", "dessert", "wine"),
        "openings": (
            "we had a table for four by the window", "I ordered the fish and a salad", "we came here for lunch",
            "it opened in spring", "the waiter brought us bread first",
        ),
    },
    {
        "thing": "concert hall",
        "parts": ("concert", "singing", "orchestra", "lighting", "programme", "encore"),
        "openings": (
            "we sat in the third row", "they played for ninety minutes", "it was the first night of the tour",
            "I had heard the record before", "the doors opened at seven",
        ),
    },
)  # fmt: skip
