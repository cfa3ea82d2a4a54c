"""What things are: requests, resources, identities, policies, grants, events, instants.

Pure values. What belongs here: frozen dataclasses, enumerations and the parsing of single strings
(an instant, a duration, a name). What does not: reading files, asking servers, deciding.
"""
