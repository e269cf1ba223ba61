"""Faces: where a face is in a photo, and how it is cut out of it."""
