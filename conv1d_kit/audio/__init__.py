"""The audio-clip classifier: clips, front-ends, nets, data sets."""
