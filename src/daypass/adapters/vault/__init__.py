"""Vault and OpenBao, through hvac: the only package that imports it."""
