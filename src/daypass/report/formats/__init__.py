"""The same report in each format: one file a format, one function each, text out."""
