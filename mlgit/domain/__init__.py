"""Records, rules, gates, policies and plans: what mlgit knows. Pure; time is an argument."""
