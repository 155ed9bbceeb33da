"""What every operation builds on: ports, the records of a tree, the ledger, the remote, and one snapshot of all three."""
