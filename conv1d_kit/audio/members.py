"""What `net` of an AudioClassifier may be: a row of AUDIO_NETS, or several with settings of their own."""

from __future__ import annotations

from typing import Any

from .nets import AUDIO_NETS

__all__ = ["MEMBERS", "NETS", "TRIMMED"]

# an ensemble's members: what each has of its own, beside a seed
_CNNS = ({"net": "residual", "frontend": "log_mel"}, {"net": "spectrogram", "frontend": "log_mel"})
_SPEECH = {"net": "speech", "frontend": "log_mel"}
_TEXTURE = {"net": "texture", "frontend": "log_mel"}
_ELSEWHERE = (  # other places and microphones
    "speed", "crop", "gain", "mix", ("filtering", {"kinds": ("equalize",)}),
    ("noise", {"snr_db": (10.0, 45.0)}), "room",
)  # fmt: skip
MEMBERS: dict[str, tuple[dict[str, Any], ...]] = {
    "ensemble": _CNNS,
    "environment": (
        {**_CNNS[0], "augment": _ELSEWHERE}, {**_CNNS[1], "centred": True, "augment": _ELSEWHERE}, _TEXTURE,
    ),
    "voices": ({**_SPEECH, "centred": True}, {**_SPEECH, "centred": False}),
    "two_view": (_CNNS[0], {"net": "wave", "frontend": "raw"}),
}  # fmt: skip
TRIMMED = ("environment",)  # hear clips without the silence at their ends, where nothing else is asked for
NETS = (*AUDIO_NETS, *MEMBERS)
