"""What `init` and `data add` need from the disk: the folder of a project, and data on its way to DVC."""
