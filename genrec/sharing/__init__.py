"""Sharing of recommenders and indexes: repositories of the hub, and the cards that say what is in them."""
