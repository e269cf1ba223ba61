"""Fuzzing of the front doors: whatever bytes come in, an answer or one line of ours goes out."""
