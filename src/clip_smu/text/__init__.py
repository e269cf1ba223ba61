"""Text: sentences in, vectors out, at run time."""
