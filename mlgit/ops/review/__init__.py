"""Promotions under review: proposals, votes, and the verification that merge, apply and audit share."""
