"""Post-training: the distribution over items that a network is, items drawn from it, and what they are worth."""
