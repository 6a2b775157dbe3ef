"""What makes palm_utils and the notebooks a course: exercises, commands, measured results, the real data."""
