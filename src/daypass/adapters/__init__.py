"""The only I/O: Vault, GitHub, git, age, the clock."""
