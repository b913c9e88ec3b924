"""Lesson 4: high-availability design. The public names of the pattern; each file holds one idea."""
