"""Measures: how fast and how late daypass is, each beside a peer or a floor of the same run.

`python -m bench` runs all, `python -m bench NAME…` some. A measure is a module with a function
`measure() -> list[Figure]`. Nothing here is asserted by a test: figures drift, ratios hold.
"""
