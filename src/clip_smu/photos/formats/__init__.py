"""Picture formats: told by their first bytes, checked to their end, brought to eight bits of RGB."""
