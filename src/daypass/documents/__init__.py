"""bytes → model: strict YAML, schemas, the tree of a repository."""
