"""What every operation stands on: ports to the neighbours, the state of a commit, the ledger, the remote, one snapshot of all three."""
