"""Findings: one form for sounds and for texts."""

from conv1d_kit.audio import inspect as audio_inspect
from conv1d_kit.text import inspect as text_inspect
from conv1d_kit.training.findings import SEVERITIES, Finding


def test_both_data_doctors_speak_in_the_same_findings():
    assert audio_inspect.Finding is text_inspect.Finding is Finding
    assert audio_inspect.SEVERITIES is SEVERITIES == ("error", "warning", "note")
