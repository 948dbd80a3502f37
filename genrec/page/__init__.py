"""A page to look at recommendations, why they are given, and the tree of codes: one HTML file, or live in a service."""
