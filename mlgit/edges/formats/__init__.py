"""File formats: strict YAML and JSON, model cards, records."""
