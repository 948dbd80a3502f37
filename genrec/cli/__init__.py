"""The command line: the only place that prints. One file a verb; heavy imports happen inside commands."""
