"""Commands that change which version an environment is to run."""
