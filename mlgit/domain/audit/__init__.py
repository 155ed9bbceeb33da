"""What an audit concludes: a verdict for each change of what runs, and how much each finding weighs. Pure."""
