"""Operations, in packages by stage of a model's life, called rooms; CONTRIBUTING.md lists them and their order."""
