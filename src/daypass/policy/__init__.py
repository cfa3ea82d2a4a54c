"""The decision point: rules, expressions, approvals, decide. Pure."""
