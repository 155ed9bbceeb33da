"""What every operation stands on: ports, the state of a commit, the ledger, the remote, one snapshot of all three."""
