"""Does the layer suit text? (exercise 5) A filter of width k is a soft detector of k words in their order.

python text_demos/01_word_order.py [FOLDER]   writes word_order.png there, ./out by default
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from conv1d_kit import TextClassifier, conv
from conv1d_kit.text.grammar import make_reviews

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
folder.mkdir(parents=True, exist_ok=True)

# Channels are the dimensions of the embedding, the axis is the place in the text: "not bad at" as a kernel
WORDS = ["the", "film", "was", "not", "bad", "good", "at", "all", "dreadful", "really"]
vectors = np.random.default_rng(0).standard_normal((len(WORDS), 64))
vectors[8] = 0.9 * vectors[4] + 0.3 * vectors[8]  # "dreadful" means nearly what "bad" means
vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
ID = {word: i for i, word in enumerate(WORDS)}


def embed(text):
    return vectors[[ID[word] for word in text.split()]].T  # (E, L)


detector = embed("not bad at")[None]  # one filter (1, E, 3)
sentences = {
    "the film was not bad at all": "as it stands",
    "really the film was not bad at all": "one word later: the same maximum, one place on",
    "the film was not dreadful at all": "a word of near meaning: nearly the same",
    "the film was bad not at all": "the same words in another order",
}
figure, axes = plt.subplots(len(sentences), 2, figsize=(12, 7.5), layout="constrained", dpi=120)
grid = axes[0, 1].get_gridspec()
for ax in axes[:, 1]:
    ax.remove()
print("the filter “not bad at” on …")
for ax, (text, what) in zip(axes[:, 0], sentences.items(), strict=True):
    y = conv(embed(text), detector)[0]
    print(f"  {text:36} maximum {y.max():.2f} of 3   ({what})")
    words = text.split()
    ax.bar(range(len(y)), y, color=["C0" if v == y.max() else "0.75" for v in y])
    ax.set_xticks(range(len(words)), words)
    ax.set(title=what, ylim=(-0.6, 3.2), xlim=(-0.6, 7.6), ylabel="response", yticks=range(4))
    ax.axhline(0, color="k", lw=0.6)
axes[-1, 0].set_xlabel("first word of the window")

# Learned: reviews in which only the order of the words decides
texts, labels = make_reviews(1200, seed=0)
scores = {}
print("\n400 new reviews after training on 800: each verdict and its opposite use the same words")
for widths in [(1,), (2,), (3,), (2, 3)]:
    model = TextClassifier(widths=widths, filters=40, dim=32, epochs=16, lr=3e-3, seed=0)
    scores[widths] = 100 * model.fit(texts[:800], labels[:800]).score(texts[800:], labels[800:])
    print(f"  width {' and '.join(map(str, widths)):8} {scores[widths]:5.1f} % right")
ax = figure.add_subplot(grid[:, 1])
bars = ax.bar(
    [" and ".join(map(str, widths)) for widths in scores], list(scores.values()), color="#8cc98c", width=0.6
)
ax.bar_label(bars, fmt="%.1f %%", padding=5)
ax.axhline(50, color="k", ls=":")
ax.text(3.35, 50.8, "chance", ha="right")
ax.set(
    xlabel="filter width (words); 1 is a bag of words", ylabel="accuracy on 400 new reviews (%)", ylim=(0, 108)
)
ax.set_title("“not dull at all, great in fact” against “not great at all, dull in fact”")
figure.savefig(folder / "word_order.png")
print(f"\n{folder / 'word_order.png'}")
