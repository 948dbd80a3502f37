"""Two processes on one machine: the same model as one process with the same global batch."""

import json
import os

import numpy as np
import pytest
import torch
from support import TINY_BACKBONES, TINY_TRAINING
from torch import multiprocessing

from genrec.data.histories import Histories
from genrec.generative.config import load_train_config
from genrec.models.history_batches import BucketSampler, CodeCollator, HistoryExamples
from genrec.training.distributed import RankBatches

ROWS, BATCH = 45, 8  # 45 = 5 global batches of 8 and one of 5


@pytest.mark.parametrize("rows", [40, 45, 41])
def test_processes_share_the_batches_of_one(rows):
    sampler = BucketSampler(np.arange(rows), BATCH, seed=1)
    sampler.set_epoch(3)
    order = list(sampler)
    parts = [RankBatches(BucketSampler(np.arange(rows), BATCH, seed=1), BATCH // 2, 2, rank) for rank in (0, 1)]
    for part in parts:
        part.set_epoch(3)
    read = [list(part) for part in parts]
    assert [len(part) for part in parts] == [len(read[0]), len(read[1])]
    # a last batch of a single row cannot be cut in two
    expected = [order[at : at + BATCH] for at in range(0, rows, BATCH) if rows - at > 1]
    assert [first + second for first, second in zip(*read, strict=True)] == expected


def _start(rank, world, port):
    from accelerate.state import AcceleratorState, GradientState, PartialState

    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()
    PartialState._reset_state()
    if world > 1:
        os.environ.update(
            RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(world), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port)
        )
    torch.set_num_threads(1)


def _train(rank, world, port, architecture, folder, steps, stop_at=None):
    """Train a tiny network; process 0 writes its weights and what validation said."""
    from genrec.models import build_model, quick_training
    from genrec.training.checkpoints import usable_checkpoint
    from genrec.training.trainer import StopOnRequest, build_trainer, set_seed

    class StopAt(StopOnRequest):
        """A Ctrl-C that one process alone notices."""

        def on_step_end(self, args, state, control, **kwargs):
            self.requested = self.requested or (rank == 0 and state.global_step == stop_at)
            return super().on_step_end(args, state, control, **kwargs)

    _start(rank, world, port)
    quick_training.has_bfloat16 = lambda: False  # how products round to it depends on how a batch is cut
    set_seed(0)
    model = build_model(architecture, (5, 5), backbone=TINY_BACKBONES[architecture], dropout=0.0)
    rng = np.random.default_rng(0)
    lists = [rng.integers(0, 20, n).tolist() for n in rng.integers(1, 7, ROWS)]
    histories = Histories.from_lists(lists)
    examples = HistoryExamples(histories, 6)
    codes = np.stack([np.arange(20) // 5, np.arange(20) % 5], axis=1)
    trainer_settings = [
        f"trainer.per_device_train_batch_size={BATCH // world}",
        "trainer.num_train_epochs=2",
        "trainer.use_cpu=true",
        f"trainer.max_steps={steps}",
    ]
    config = load_train_config("item-decoder-small", [*TINY_TRAINING, *trainer_settings])
    calls = []

    def validate():
        calls.append(rank)
        return {"ndcg@10": 0.01 * trainer.state.global_step + rank}  # better and better

    checkpoints = folder / f"run-{world}"
    trainer = build_trainer(
        model, examples, CodeCollator(codes), config, checkpoints, validate=validate, callbacks=[StopAt()]
    )
    trainer.train(resume_from_checkpoint=usable_checkpoint(checkpoints))
    assert stop_at is None or trainer.state.global_step == stop_at
    logs = [entry for entry in trainer.state.log_history if "eval_ndcg@10" in entry]
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    torch.save(weights, folder / f"weights-{world}-{rank}.pt")
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    record = {"validated": len(calls), "ndcg": [entry["eval_ndcg@10"] for entry in logs], "losses": losses}
    (folder / f"record-{world}-{rank}.json").write_text(json.dumps(record))


def _free_port():
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.mark.skipif(torch.cuda.is_available(), reason="forked processes cannot use a GPU")
@pytest.mark.parametrize("architecture", ["item-decoder", pytest.param("seq2seq", marks=pytest.mark.slow)])
def test_two_processes_end_where_one_ends(tmp_path, architecture):
    for world in (1, 2):
        multiprocessing.start_processes(
            _train, (world, _free_port(), architecture, tmp_path, 12), nprocs=world, start_method="fork"
        )
    one, first, second = (torch.load(tmp_path / f"weights-{which}.pt") for which in ("1-0", "2-0", "2-1"))
    for name, tensor in one.items():
        torch.testing.assert_close(second[name], first[name], rtol=0, atol=0)
        # Adam makes a step of a gradient that is all rounding, and what rounding is, the processor says
        torch.testing.assert_close(first[name], tensor, rtol=1e-4, atol=1e-4)
        assert torch.linalg.norm(first[name] - tensor) <= 1e-4 * torch.linalg.norm(tensor)
    records = {name: json.loads((tmp_path / f"record-{name}.json").read_text()) for name in ("1-0", "2-0", "2-1")}
    assert records["2-0"]["losses"] == pytest.approx(records["1-0"]["losses"], rel=1e-4)
    # Validation is computed once and everybody gets its figures.
    assert records["1-0"]["validated"] == records["2-0"]["validated"] == 2
    assert records["2-1"]["validated"] == 0
    assert records["2-1"]["ndcg"] == records["2-0"]["ndcg"] == records["1-0"]["ndcg"]


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="forked processes cannot use a GPU")
def test_two_processes_that_are_stopped_go_on_to_the_same_end(tmp_path):
    folders = [tmp_path / "whole", tmp_path / "stopped"]
    for folder, stops in zip(folders, ([None], [9, None]), strict=True):
        folder.mkdir()
        for stop_at in stops:
            multiprocessing.start_processes(
                _train, (2, _free_port(), "item-decoder", folder, 12, stop_at), nprocs=2, start_method="fork"
            )
    whole, resumed = (torch.load(folder / "weights-2-1.pt") for folder in folders)
    for name, tensor in whole.items():
        torch.testing.assert_close(resumed[name], tensor, rtol=0, atol=0)


def _shard(rank, world, port, folder):
    """Train a network in pieces for a step, then use it and save it whole."""
    import torch.distributed as dist
    from torch.distributed.fsdp import fully_shard
    from torch.distributed.tensor import init_device_mesh

    from genrec.models import build_model
    from genrec.training.distributed import in_pieces, save_whole, whole_weights

    _start(rank, world, port)
    dist.init_process_group("gloo")
    torch.manual_seed(0)
    model = build_model("item-decoder", (5, 5), backbone=TINY_BACKBONES["item-decoder"], dropout=0.0)
    batch = {"codes": torch.arange(20).reshape(2, 5, 2) % 5, "mask": torch.ones(2, 5, dtype=torch.bool)}
    state = model.eval().prefill(**batch)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    expected = model.step(state).detach()
    mesh = init_device_mesh("cpu", (world,))
    for module in model.modules():
        if type(module).__name__.endswith("DecoderLayer"):
            fully_shard(module, mesh=mesh)
    fully_shard(model, mesh=mesh)
    assert in_pieces(model)
    model(**batch).loss.backward()
    with whole_weights(model), torch.no_grad():
        found = model.step(model.prefill(**batch))
    torch.testing.assert_close(found, expected)
    model(**batch).loss.backward()
    save_whole(model, lambda: model.save_pretrained(folder / "whole"))
    assert not in_pieces(model)
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(tensor, before[name])
    dist.destroy_process_group()


@pytest.mark.skipif(torch.cuda.is_available(), reason="forked processes cannot use a GPU")
def test_weights_in_pieces_validate_and_are_saved_whole(tmp_path):
    from genrec.models import build_model, load_model

    multiprocessing.start_processes(_shard, (2, _free_port(), tmp_path), nprocs=2, start_method="fork")
    torch.manual_seed(0)
    model = build_model("item-decoder", (5, 5), backbone=TINY_BACKBONES["item-decoder"], dropout=0.0)
    loaded = load_model(tmp_path / "whole").state_dict()
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(loaded[name], tensor)
