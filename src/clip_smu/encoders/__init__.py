"""Encoders: photos in, templates out. Frozen, always."""
