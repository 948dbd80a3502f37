"""Networks of papers, each one file: they extend the networks of this package through their hooks."""
