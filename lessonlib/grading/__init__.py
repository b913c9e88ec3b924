"""Exercise notebooks from solutions, the strict run of notebooks, the grading of submissions."""

import sys

# jupyterlab brings this parser of web addresses, and jsonschema imports it with nbformat: 1.5 s in every process.
# Notebooks hold no such addresses; validation works the same without it.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
