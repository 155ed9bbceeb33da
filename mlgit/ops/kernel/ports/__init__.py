"""What operations need from the outside world, one module for each neighbour.

These protocols are the interface of the system: operations know only them. `mlgit.edges` implements them with Git, DVC, SSH and
HTTP, and tests with dicts and constants. Errors are part of the interface: `MlgitError` is a definite "no" with findings, and
its subclass `Inconclusive` means that something did not answer, so the same call may succeed later.
"""
