"""A TextCNN of chosen sizes, untrained, in eval mode."""

import torch

from conv1d_kit.text.nets import NetOptions, TextCNN


def made_cnn(n_words, n_classes, *, seed=0, spread=None, **options):
    """`spread`: standard deviation of the embeddings, so that responses are of the size of 1."""
    generator = torch.Generator().manual_seed(seed)
    net = TextCNN(n_words, n_classes, NetOptions(**options), generator=generator)
    if spread is not None:
        with torch.no_grad():
            net.embedding.weight[1:].normal_(0, spread, generator=generator)
    return net.eval()
