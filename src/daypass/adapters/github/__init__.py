"""GitHub, through PyGithub: the one place that imports it.

`transport` speaks HTTP and `failure` tells what went wrong, `token` turns the App's key into an
installation token, `wire` reads what GitHub answers, `pulls` and `pushes` put a pull request
together, `forge` is the port, `doctor` looks at who could change what mints. Nothing is imported
here: PyGithub alone costs 0.7 seconds, and `person` does without.
"""
