"""Networks around pretrained language models: loading, code tokens, tuning, heads."""
