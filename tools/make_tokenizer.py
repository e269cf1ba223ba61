"""Makes src/clip_smu/text/mini_tokenizer.json, the BPE vocabulary of the text encoder `mini`.

    python tools/make_tokenizer.py /usr/share/dict/scowl

Trained on the words of our own captions and on SCOWL's graded lists of English words (Debian's package
`scowl`; Copyright 2000-2018 Kevin Atkinson, free use with notice): the commoner a list, the more weight.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from clip_smu.text.encoder import END, PAD, START, TOKENIZER_FILE, UNKNOWN
from clip_smu.words.vocabulary import vocabulary

VOCABULARY = 6000
WEIGHTS = {"words.10": 60, "words.20": 20, "words.35": 4, "words.50": 1}  # SCOWL size → copies
CAPTION_WEIGHT = 2000


def corpus(scowl: Path) -> Iterator[str]:
    for word in sorted(vocabulary()):
        yield " ".join([word] * CAPTION_WEIGHT)
    for mark in ".,'-?!()/\"&%;:":
        yield " ".join([mark] * CAPTION_WEIGHT)
    for region in ("english", "american", "british"):
        for size, weight in WEIGHTS.items():
            file = scowl / f"{region}-{size}"
            if not file.exists():
                raise SystemExit(f"no {file}: install Debian's package scowl and give its folder of lists")
            for word in file.read_text(encoding="iso-8859-1").split():
                yield " ".join([word] * weight)


def main() -> None:
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN, end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFKD(),
            normalizers.StripAccents(),
            normalizers.Lowercase(),
            normalizers.Replace("’", "'"),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PAD, START, UNKNOWN, END],
        end_of_word_suffix="</w>",
        initial_alphabet=list("abcdefghijklmnopqrstuvwxyz0123456789.,'-?!()/\"&%"),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus(Path(sys.argv[1])), trainer)
    start, end = tokenizer.token_to_id(START), tokenizer.token_to_id(END)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(START, start), (END, end)]
    )
    tokenizer.save(str(TOKENIZER_FILE), pretty=False)


if __name__ == "__main__":
    main()
