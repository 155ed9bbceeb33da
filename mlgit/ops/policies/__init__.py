"""Try a policy on past promotions."""
