"""A pretrained text encoder made small for shipping: fewer word pieces. (PyTorch)

No sentence of training is touched: all word pieces of the sentences given are kept, so they are cut up as before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

import torch
from tokenizers import Tokenizer
from torch import nn

from clip_smu.training.bert_encoder import BertText

MOST_WORDS = 15_000
_WORD = re.compile(r"(##)?[a-z]+")
_CHARACTER = re.compile(r"(##)?[!-~]")


def prune_words(
    text_encoder: BertText, tokenizer: Tokenizer, sentences: Iterable[str], most: int = MOST_WORDS
) -> Tokenizer:
    """Leaves a text encoder the word pieces of sentences and the commonest English ones; gives its new tokenizer.

    BERT's pieces stand in their file by how common they were in its own training. A tokenizer of another kind than
    WordPiece stays as it is.
    """
    form = json.loads(tokenizer.to_str())
    if form["model"]["type"] != "WordPiece":
        return tokenizer
    order = sorted(form["model"]["vocab"].items(), key=lambda item: item[1])
    special = {one["id"] for one in form["added_tokens"]}
    used = {number for one in tokenizer.encode_batch(list(sentences)) for number in one.ids}
    common = [number for word, number in order if _WORD.fullmatch(word)][:most]
    single = [number for word, number in order if _CHARACTER.fullmatch(word)]
    kept = sorted(special | used | set(common) | set(single))
    renumbered = {old: new for new, old in enumerate(kept)}
    form["model"]["vocab"] = {word: renumbered[number] for word, number in order if number in renumbered}
    form["added_tokens"] = [one | {"id": renumbered[one["id"]]} for one in form["added_tokens"]]
    for token in form["post_processor"].get("special_tokens", {}).values():
        token["ids"] = [renumbered[number] for number in token["ids"]]
    words = text_encoder.embeddings.word_embeddings
    rows = words.weight.detach()[torch.tensor(kept)]
    text_encoder.embeddings.word_embeddings = nn.Embedding(
        len(kept), rows.shape[1], _weight=rows, _freeze=True
    )
    text_encoder.padding = renumbered[text_encoder.padding]
    return Tokenizer.from_str(json.dumps(form))
