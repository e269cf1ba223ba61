"""Words: the vocabulary (attributes, prompts, captions, descriptions) and what is hidden of it. Pure Python."""
