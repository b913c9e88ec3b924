"""The root of every error that this package raises on purpose."""


class LessonError(Exception):
    """Something the reader can mend: the message names what was wrong, the value, and the remedy."""
