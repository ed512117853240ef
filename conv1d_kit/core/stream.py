"""Stand-in."""

from ._stand_in_stream import ConvStream

__all__ = ["ConvStream"]
