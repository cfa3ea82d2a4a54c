"""The GitHub half of `daypass doctor`: who could change what mints, read and never written.

`reading` asks GitHub and keeps "not visible" apart from "not there"; `guards` puts rulesets and
branch protection into one form, `rules`, `owners`, `environment`, `repository` and `control` judge,
and `examine` puts them together and says what is proved.
"""
