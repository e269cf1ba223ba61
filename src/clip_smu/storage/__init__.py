"""The ground: whole files, typed documents, text files, output paths, digests, ONNX sessions."""
