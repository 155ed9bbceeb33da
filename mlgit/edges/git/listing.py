"""Names in the folders of HEAD, and names of refs, with one process each; this imports little."""

from collections.abc import Iterable

from mlgit.edges.git.command import Git


def list_names(git: Git, folders: Iterable[str]) -> dict[str, list[str]]:
    """Return the names directly in folders of HEAD, in Git's order, subfolders with a slash at the end.

    Args:
        git: Git, in any folder of the repository.
        folders: paths from its root; one that does not exist has no names.

    Raises:
        MlgitError: there is no repository, or no commit yet (`git-failed`).
    """
    names: dict[str, list[str]] = {folder: [] for folder in folders}
    if not names:
        return names
    listed = git.run("ls-tree", "-z", "--full-tree", "HEAD", "--", *(f"{folder}/" for folder in names)).stdout
    for record in listed.decode("utf-8", "surrogateescape").split("\0")[:-1]:
        described, _, path = record.partition("\t")
        folder, _, name = path.rpartition("/")
        if folder in names:
            names[folder].append(f"{name}/" if described.split()[1] == "tree" else name)
    return names


def list_refs(git: Git, prefix: str) -> list[str]:
    """Return the full names of the refs below a prefix, sorted."""
    return git.text("for-each-ref", "--format=%(refname)", "--", prefix).split()
