"""The outside world, one module a neighbour: no rule and no decision is taken here."""
