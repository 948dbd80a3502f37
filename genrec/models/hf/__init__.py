"""Predictors around stock networks of Hugging Face transformers."""
