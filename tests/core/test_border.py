"""What stands before and after a stream is what `pad` puts there on the whole."""

import pytest
import torch

from conv1d_kit.core.border import Border
from conv1d_kit.core.padding import PADDINGS, pad


@pytest.mark.parametrize("mode", ["zeros", 3.0, *PADDINGS])
@pytest.mark.parametrize("size", [1, 2, 5, 6, 7, 30])
@pytest.mark.parametrize(("low", "high"), [(0, 0), (3, 0), (0, 5), (6, 6), (1, 40)])
def test_a_border_is_what_pad_puts_there(mode, size, low, high):
    x = torch.arange(1.0, size + 1)
    whole = pad(x, ((low, high),), mode)
    border, before = Border(low, high, mode), None
    for i in range(size):
        border.see(x[i : i + 1])
        before = border.before(x[: i + 1]) if before is None else before
    assert border.needs_end == (mode == "circular" and low > 0)
    if not border.needs_end and before is not None:
        assert before.tolist() == whole[:low].tolist()
    last = x[size - min(size, border.kept) :]
    assert border.after(last, size).tolist() == whole[low + size :].tolist()


def test_no_more_is_awaited_than_decides():
    x = torch.arange(1.0, 9)
    awaited = {"zeros": 0, "replicate": 1, "symmetric": 4, "reflect": 5}
    for mode, n in awaited.items():
        border = Border(4, 0, mode)
        assert border.before(x[:n]) is not None
        assert n == 0 or border.before(x[: n - 1]) is None
