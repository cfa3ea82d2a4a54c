"""The auditor's questions and their formats."""
