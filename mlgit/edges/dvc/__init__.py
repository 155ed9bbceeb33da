"""DVC: pointers, content in cache and remote, and the pipeline."""
