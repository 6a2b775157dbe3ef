"""The measured results, and the commands that make them."""
