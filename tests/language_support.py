"""Tiny language models of several families in ordinary folders, and the shop as their catalogue."""

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    BertConfig,
    BertForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

from genrec.models import find_network
from genrec.models.llm.code_rows import RowStart
from genrec.trie import Trie

FAMILIES = ("t5", "qwen3", "llama", "gpt2", "bart")
SIZES = (4, 5, 6)
WORDS = "<pad> </s> <unk> <s> A user chose these items , oldest first : The next item is red blue cup tea tent lamp"
DEPTH = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
LORA = {"r": 2, "lora_alpha": 4, "lora_dropout": 0.0, "target_modules": "all-linear"}


def make_tokenizer():
    words = {word: n for n, word in enumerate(WORDS.split() + [str(n) for n in range(10)])}
    raw = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")


def make_network(family, vocabulary):
    torch.manual_seed(0)
    ids = {"vocab_size": vocabulary, "pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 3}
    if family == "t5":
        size = {"d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_heads": 2, "initializer_factor": 2.0}
        return T5ForConditionalGeneration(T5Config(decoder_start_token_id=0, dropout_rate=0.0, **size, **ids))
    if family == "bart":
        sizes = {f"{part}_{name}": 2 for part in ("encoder", "decoder") for name in ("layers", "attention_heads")}
        sizes |= {"d_model": 16, "encoder_ffn_dim": 24, "decoder_ffn_dim": 24, "dropout": 0.0, "init_std": 0.2}
        return BartForConditionalGeneration(
            BartConfig(max_position_embeddings=128, decoder_start_token_id=1, **sizes, **ids)
        )
    if family == "gpt2":
        none = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
        return GPT2LMHeadModel(GPT2Config(n_embd=16, n_layer=2, n_head=2, initializer_range=0.2, **none, **ids))
    if family == "bert":
        none = dict.fromkeys(("hidden_dropout_prob", "attention_probs_dropout_prob"), 0.0)
        return BertForMaskedLM(BertConfig(initializer_range=0.2, **none, **DEPTH, **ids))
    if family == "qwen3":
        config = Qwen3Config(
            num_key_value_heads=1, head_dim=8, tie_word_embeddings=True, initializer_range=0.2, **DEPTH, **ids
        )
        return Qwen3ForCausalLM(config)
    return LlamaForCausalLM(LlamaConfig(num_key_value_heads=2, initializer_range=0.2, **DEPTH, **ids))


def save_checkpoint(folder, family):
    """An ordinary Hugging Face folder; the vocabulary is padded by three rows of no token, as large ones are."""
    tokenizer = make_tokenizer()
    network = make_network(family, len(tokenizer) + 3)
    network.save_pretrained(folder)
    if network.can_generate():  # with the sampling defaults that chat models carry
        network.generation_config.update(do_sample=True, temperature=0.6, top_p=0.5)
        network.generation_config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def catalogue(n=30, seed=0):
    """``(n, 3)`` distinct codes."""
    rng = np.random.default_rng(seed)
    return np.argwhere(np.ones(SIZES))[rng.permutation(int(np.prod(SIZES)))[:n]].astype(np.int32)


def trie():
    return Trie.from_codes(catalogue(), SIZES)


def build(folder, architecture="language-model", seed=0, start=None, **settings):
    """A model around a checkpoint, in evaluation mode."""
    torch.manual_seed(seed)
    model_class = find_network(architecture)
    source = {"checkpoint": str(folder), **settings.pop("source", {})}
    backbone = {"d_model": 16, "d_kv": 8, "d_ff": 24, "num_decoder_layers": 2, "num_heads": 2}
    config = model_class.config_class(
        codebook_sizes=list(SIZES),
        source=source,
        backbone=backbone,
        n_items=30,
        **{"dropout": 0.0, "lora": LORA, "index_fingerprint": "one", **settings},
    )
    model = model_class.build(config, start or RowStart())
    model.prepare(trie(), trie_masked_loss=False)
    return model.eval()


def examples(model, users=6, seed=0):
    """A batch of prompts with the codes of one item each, padded on the right; and the codes ``(users, 3)``."""
    rng = np.random.default_rng(seed)
    rows = [catalogue()[rng.integers(0, 30, n)] for n in rng.integers(2, 6, users)]
    answers = np.stack([row[-1] for row in rows])
    words = model.tokenizer("The next item is", add_special_tokens=False)["input_ids"]
    sources = [[*model.tokens.ids_of(row[:-1]).ravel(), *words] for row in rows]
    targets = [list(ids) for ids in model.tokens.ids_of(answers)]
    apart = model.reads_apart
    inputs = sources if apart else [s + t for s, t in zip(sources, targets, strict=True)]
    labels = targets if apart else [[-100] * len(s) + t for s, t in zip(sources, targets, strict=True)]
    return {
        "input_ids": pad(inputs, 0),
        "attention_mask": pad([[1] * len(row) for row in inputs], 0),
        "labels": pad(labels, -100),
    }, torch.from_numpy(answers).long()


def prompts(model, users=6, seed=0):
    """The prompts of :func:`examples` without answers."""
    batch, _ = examples(model, users, seed)
    if model.reads_apart:
        return batch["input_ids"], batch["attention_mask"]
    prompt = (batch["labels"] == -100) & batch["attention_mask"].bool()
    return batch["input_ids"].masked_fill(~prompt, 0), prompt.long()


def pad(rows, filler):
    longest = max(len(row) for row in rows)
    return torch.tensor([[int(n) for n in row] + [filler] * (longest - len(row)) for row in rows])


def fit(model, steps=6, rate=1e-2):
    """A few steps on one batch; losses of all of them."""
    batch, _ = examples(model)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=rate, weight_decay=0.1)
    losses = []
    model.train()
    for _ in range(steps):
        loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    model.eval()
    return losses


def first_scores(model, ids, mask):
    """Scores of the first level's codes, ``(users, codes)``, normalised over everything that could be said."""
    with torch.no_grad(), model.decoding():
        output = model.step(model.prefill(ids, mask))
        logits = getattr(output, "logits", output)
        normalizer = output.log_normalizer() if hasattr(output, "log_normalizer") else logits.logsumexp(-1)
        return (logits - normalizer[..., None])[:, 0]
