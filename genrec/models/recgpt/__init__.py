"""RecGPT: parallel slots, attention bidirectional inside an item and causal between items."""
