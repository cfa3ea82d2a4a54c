"""Evidence: trailers, signatures, history, verify."""
