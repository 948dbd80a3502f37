"""Measurements of genrec against what people use otherwise."""
