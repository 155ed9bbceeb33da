"""DVC: pointers, the content behind them in cache and remote, and the pipeline that makes it."""
