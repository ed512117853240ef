"""The text n-gram CNN: tokens, vocabulary, nets, data sets."""
