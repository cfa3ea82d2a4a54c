"""The life of grants: plan (pure) and apply (through ports). The only code that grants or ends.

What belongs here: what to do next, in which order, and what a crash between two steps leaves.
What does not: how Vault, GitHub, git or age are talked to; whether access is allowed.
"""
