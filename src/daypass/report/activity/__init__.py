"""Activity: what a grant was used for, by the logs of the servers that it was used at.

Counted, never repeated: no statement, no parameter and no answer of a server leaves this package.
"""
