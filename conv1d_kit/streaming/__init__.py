"""Any causal net as a stream: chunks in, frames or logits out, each layer keeping what it still needs."""
