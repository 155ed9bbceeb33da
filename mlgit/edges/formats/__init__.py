"""How files are written: strict YAML and JSON, model cards, records."""
