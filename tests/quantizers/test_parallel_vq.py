import numpy as np

from genrec.quantizers.parallel_vq import ParallelVQ, ParallelVQSettings, overlap


def experts(weight):
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(12, 8))[rng.integers(0, 12, 300)] * 2 + rng.normal(size=(300, 8)) * 0.3).astype(np.float32)
    quantizer = ParallelVQ(
        ParallelVQSettings(slots=2, codebook_size=8, latent_dim=4, hidden=(16,), epochs=10, orthogonality=weight)
    )
    quantizer.fit(x, seed=0)
    return quantizer, x


def test_experts_say_different_things():
    import torch

    (plain, x), (apart, _) = experts(0.0), experts(3.0)
    overlaps = [float(overlap(torch.from_numpy(q.latents(x)))) for q in (plain, apart)]
    assert overlaps[1] < 0.5 * overlaps[0]
    codes = apart.encode(x)
    assert all(len(np.unique(codes[:, slot])) >= 5 for slot in range(2))


def test_one_slot_has_nothing_to_overlap_with():
    import torch

    assert float(overlap(torch.ones(3, 1, 4))) == 0
