"""Commands for the workflows of a forge: the verdict on a change, and what is posted at the forge."""
