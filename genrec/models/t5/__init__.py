"""A T5 decoder written for constrained search."""
