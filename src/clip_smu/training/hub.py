"""A text encoder's files: in a folder or on the Hugging Face Hub; what is not there ends as one line. (transformers)"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from clip_smu.errors import ClipSmuError, InputError
from clip_smu.training.minilm import MINILM, minilm_file

CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
_PATIENCE = 10.0  # seconds to wait for the hub's first word


@contextlib.contextmanager
def reading(name: str) -> Iterator[Callable[[str], bytes]]:
    """Gives what reads one file of a text encoder: of `minilm` from its package, else from a folder or the hub.

    Raises:
        InputError: it is not there and cannot be had.
        MissingExtraError: `minilm`, and its package is not installed.
    """
    if name == MINILM:
        yield minilm_file
        return
    with from_hub(name) as at_hand:
        from transformers.utils import cached_file

        yield lambda file: Path(str(cached_file(name, file, local_files_only=at_hand))).read_bytes()


@contextlib.contextmanager
def from_hub(name: str) -> Iterator[bool]:
    """Gives whether a text encoder is at hand without the hub; every way in which it cannot be had ends as one line."""
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    folder = Path(name).is_dir()
    try:
        if not folder:
            validate_repo_id(name)
        at_hand = folder or all(
            isinstance(try_to_load_from_cache(name, file), str) for file in (WEIGHTS, TOKENIZER)
        )
        if not at_hand:
            HfApi().model_info(name, timeout=_PATIENCE)  # at once, where a download would try again and again
        yield at_hand
    except ClipSmuError:
        raise
    except Exception as error:  # of several libraries, with little in common
        why = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
        if folder:
            raise InputError(
                f"the folder {name} does not hold a CLIP or BERT text encoder: expected transformers' {CONFIG}, "
                f"{WEIGHTS} and {TOKENIZER} ({why})"
            ) from None
        if isinstance(error, HFValidationError):
            raise InputError(
                f"the text encoder must be mini, minilm, a name on the Hugging Face Hub or a folder, not {name!r}"
            ) from None
        raise InputError(
            f"the text encoder {name} is not on this machine and could not be downloaded: fetch {CONFIG}, {WEIGHTS} "
            f"and {TOKENIZER} from https://huggingface.co/{name} into a folder, and give that folder ({why})"
        ) from None


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without transformers' bar and its report of weights that are not wanted here, such as CLIP's image encoder."""
    from transformers.utils import logging

    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()


def refuse_lacking(name: str, kind: str, lacking: list[str]) -> None:
    """Refuses weights that are not whole: transformers would go on with random numbers.

    Raises:
        InputError: arrays are lacking.
    """
    if lacking:
        raise InputError(
            f"expected the weights of a {kind} text encoder in {name}, found none for {len(lacking)} arrays, the "
            f"first: {min(lacking)}; give a whole {kind}"
        )
