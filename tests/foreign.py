"""An array library that nobody knows, for the door that takes any."""

from __future__ import annotations

import torch


class Foreign:
    """An array of another library: nothing but the DLPack protocol."""

    def __init__(self, t):
        self.t = t

    def __dlpack__(self, **options):
        return self.t.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.t.__dlpack_device__()

    def __array_namespace__(self):
        return Foreign

    @staticmethod
    def from_dlpack(t):
        return Foreign(torch.from_dlpack(t))
