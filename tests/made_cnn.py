"""A TextCNN of chosen sizes, untrained, in eval mode, and its poolings in plain torch as an oracle."""

import torch

from conv1d_kit.text import nets
from conv1d_kit.text.nets import TextCNN


def made_cnn(n_words, n_classes, *, seed=0, spread=None, **options):
    """`spread`: standard deviation of the embeddings, so that responses are of the size of 1."""
    generator = torch.Generator().manual_seed(seed)
    kind = TextCNN
    if hasattr(nets, "NetOptions"):
        net = kind(n_words, n_classes, nets.NetOptions(**options), generator=generator)
    else:
        pooling = options.pop("pooling", "max")
        kind = {"max": TextCNN, "mean": _Mean, "2-max": _TwoMax}[pooling]
        net = kind(n_words, n_classes, generator=generator, **options)
    if spread is not None:
        with torch.no_grad():
            net.embedding.weight[1:].normal_(0, spread, generator=generator)
    return net.eval()


class _Mean(TextCNN):
    pooling = "mean"

    def features(self, ids, lengths):
        rows = []
        for row, n in zip(ids, lengths, strict=True):
            found = []
            for layer in self.layers:
                f, _, k = layer.weight.shape
                if n == 0:
                    found.append(torch.zeros(f))
                    continue
                x = self.embedding(row[:n]).T[None]
                z = torch.nn.functional.conv1d(x, layer.weight, layer.bias, padding=k - 1)
                found.append(torch.relu(z)[0].mean(1))
            rows.append(torch.cat(found))
        return torch.stack(rows)


class _TwoMax(TextCNN):
    pooling = "2-max"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.out = torch.nn.Linear(2 * self.out.in_features, self.out.out_features)

    def features(self, ids, lengths):
        rows = []
        for row, n in zip(ids, lengths, strict=True):
            found = []
            for layer in self.layers:
                z = torch.zeros(layer.weight.shape[0], 0)
                if n:
                    x = self.embedding(row[:n]).T[None]
                    z = torch.nn.functional.conv1d(x, layer.weight, padding=layer.weight.shape[-1] - 1)[0]
                at = z.sort(stable=True, dim=1, descending=True).indices[:, :2].sort(1).values
                best = torch.nn.functional.pad(z.gather(1, at), (0, 2 - at.shape[1]))
                found.append(torch.relu(best + layer.bias[:, None]).flatten())
            rows.append(torch.cat(found))
        return torch.stack(rows)
