"""Turning a model's scores into real items."""
