"""A tiny tokenizer and text inputs that tests of prompts share; no network, a fraction of a second."""

import numpy as np
import polars as pl
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from genrec.data.catalog import Catalog
from genrec.models.llm.code_tokens import CodeTokens
from genrec.prompts import ItemTexts

CHAT = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}[assistant] "
WORDS = ["A user chose these items, oldest first: The next item is: title red blue cup tea tent lamp"] * 3


def make_tokenizer(*, ends_texts=False, chat=None, vocabulary=320):
    """Byte-level BPE; ``ends_texts`` appends the end token to every text, as tokenizers of T5 do."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(
        WORDS,
        trainers.BpeTrainer(
            vocab_size=vocabulary, special_tokens=["<pad>", "</s>"], initial_alphabet=alphabet, show_progress=False
        ),
    )
    if ends_texts:
        tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>")
    fast.chat_template = chat
    return fast


def make_items(tokenizer, n_items=12):
    """Items ``0..n`` with two code levels; number 5 has no text at all, and is called by its id."""
    kinds = ("cup", "tea", "tent", "lamp")
    catalog = Catalog.from_frame(
        pl.DataFrame(
            {
                "item_id": [f"i{n}" for n in range(n_items)],
                "title": [None if n == 5 else f"{kinds[n % 4]} number {n}" for n in range(n_items)],
                "brand": [None if n == 5 else ("Acme", "Unknown", "Birch")[n % 3] for n in range(n_items)],
                "categories": [[] if n == 5 else [f"Home > {kinds[n % 4]}", "Other"] for n in range(n_items)],
            }
        )
    )
    tokens = CodeTokens((4, 8))
    tokens.add_to(tokenizer)
    codes = np.stack([np.arange(n_items) % 4, np.arange(n_items) % 8], axis=1)
    return ItemTexts(catalog, codes, tokens)
