"""An organisation in a box: OpenBao, PostgreSQL and a GitHub look-alike."""
