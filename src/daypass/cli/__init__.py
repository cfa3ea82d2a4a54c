"""One file a verb; wiring.py is the only place that chooses adapters."""
