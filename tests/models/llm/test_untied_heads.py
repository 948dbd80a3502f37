"""Files with an output layer of their own keep it: through code tokens, training, merging and saving."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers
from language_support import build, first_scores, fit, make_tokenizer, prompts
from transformers import AutoModelForSeq2SeqLM

from genrec.errors import ModelError
from genrec.models import load_model
from genrec.models.llm.code_rows import namesakes, part_output
from genrec.models.llm.tuning import tune

pytest.importorskip("peft")

# (class, scale of the states before the output layer as its file says it, as this project must read it)
KINDS = [
    ("T5", False, False),
    ("T5", True, True),
    ("MT5", None, False),
    ("UMT5", None, False),
    ("LongT5", False, False),
]


@pytest.fixture(params=KINDS, ids=lambda kind: f"{kind[0]}-{kind[1]}")
def untied(request, tmp_path):
    """A folder with a head of its own, that head, and whether states are scaled before it."""
    name, flag, scaled = request.param
    torch.manual_seed(0)
    tokenizer = make_tokenizer()
    more = {} if flag is None else {"tie_word_embeddings": flag}
    config = getattr(transformers, f"{name}Config")(
        **{"d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_heads": 2, "initializer_factor": 2.0},
        **{"vocab_size": len(tokenizer), "pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0, **more},
    )
    network = getattr(transformers, f"{name}ForConditionalGeneration")(config)
    head = torch.nn.Parameter(torch.randn_like(network.lm_head.weight) * 0.3)
    network.lm_head.weight = head
    network.config.tie_word_embeddings = bool(flag)
    network.save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    return tmp_path / "base", head.detach(), scaled


def plain_scores(model, ids, mask):
    """Logits of the first token after each prompt, ``(users, vocabulary)``, from stacks and head called by hand."""
    base = model.base
    with torch.no_grad(), model.decoding():
        memory = base.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        start = torch.zeros(len(ids), 1, dtype=torch.int64)
        state = base.decoder(input_ids=start, encoder_hidden_states=memory, encoder_attention_mask=mask)
        return base.get_output_embeddings()(state.last_hidden_state[:, 0])


def test_the_head_of_a_file_stays_through_everything(untied, tmp_path):
    folder, head, scaled = untied
    model = build(folder, tuning="lora")
    tables = model.base.get_input_embeddings().weight, model.base.get_output_embeddings().weight
    assert torch.equal(tables[1][: len(head)], head)
    assert not torch.equal(tables[0][: len(head)], head)
    before = first_scores(model, *prompts(model))
    logits = plain_scores(model, *prompts(model)) * (16**-0.5 if scaled else 1.0)
    torch.testing.assert_close(before, logits.log_softmax(-1)[:, model.tokens.ids[0]], atol=1e-4, rtol=0)

    fit(model)
    rows = {name for name, value in model.named_parameters() if "trainable_tokens" in name and value.requires_grad}
    assert len(rows) == 2  # code rows of both tables, each its own
    trained = first_scores(model, *prompts(model))
    assert (trained - before).abs().max() > 0.01
    model.save_pretrained(tmp_path / "adapter")
    again = load_model(tmp_path / "adapter")
    torch.testing.assert_close(first_scores(again, *prompts(model)), trained, atol=1e-5, rtol=0)
    assert torch.equal(again.base.get_output_embeddings().weight[: len(head)], head)

    model.merge()
    # float32 through large random weights: log-probabilities go up to 11
    torch.testing.assert_close(first_scores(model, *prompts(model)), trained, atol=1e-4, rtol=1e-4)
    model.save_pretrained(tmp_path / "merged")
    merged = load_model(tmp_path / "merged")
    torch.testing.assert_close(first_scores(merged, *prompts(model)), trained, atol=1e-4, rtol=1e-4)
    assert torch.equal(merged.base.get_output_embeddings().weight[: len(head)], head)


@pytest.mark.filterwarnings("ignore")
def test_a_fully_tuned_head_is_found_by_plain_transformers(untied, tmp_path):
    folder, _, scaled = untied
    model = build(folder, tuning="full")
    fit(model, steps=2)
    model.save_pretrained(tmp_path / "full")
    plain = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "full" / "language_model").eval()
    for mine, theirs in zip(
        (model.base.get_input_embeddings(), model.base.get_output_embeddings()),
        (plain.get_input_embeddings(), plain.get_output_embeddings()),
        strict=True,
    ):
        assert torch.equal(mine.weight, theirs.weight)
    assert getattr(plain.config, "scale_decoder_outputs", scaled) == scaled


def test_a_table_whose_name_ends_that_of_another_layer_is_refused_or_left_tied():
    """peft looks at the ends of names, so it would train rows of the other layer, or fail."""

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.output, self.table = torch.nn.Linear(4, 9, bias=False), torch.nn.Embedding(9, 4)
            self.block = torch.nn.ModuleDict({"output": torch.nn.Linear(4, 4)})
            self.config = SimpleNamespace(is_encoder_decoder=False, tie_word_embeddings=True)

        def get_input_embeddings(self):
            return self.table

        def get_output_embeddings(self):
            return self.output

    model = Net()
    assert namesakes(model, model.output) == ["block.output"]
    assert namesakes(model, model.table) == []
    assert not part_output(model)
    with pytest.raises(ModelError, match=r"'output' from the layer 'block\.output'") as caught:
        tune(model, "lora", np.array([1]))
    assert "tuning=full" in caught.value.hint
