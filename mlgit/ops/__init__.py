"""One verb a module: read, judge, plan, apply."""
