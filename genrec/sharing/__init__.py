"""Sharing of recommenders and indexes: repositories of the hub, their cards, and plain folders for other systems."""
