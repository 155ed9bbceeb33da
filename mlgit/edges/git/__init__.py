"""Git: refs, trees, history, remotes and new commits, with few processes."""
