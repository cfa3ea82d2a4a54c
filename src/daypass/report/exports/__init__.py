"""Evidence in the formats of others: one file a format, JSON out, the same bytes for the same head.

What is exported is what `ledger.verify` counts as an event. Nothing here is free text of a person.
"""
