"""The pieces of the failure lab's panel: controls, the form for a fault, the search, what makes it look right."""
