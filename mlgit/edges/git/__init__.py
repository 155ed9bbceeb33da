"""Git: refs, trees, history, and new commits, through few processes."""
