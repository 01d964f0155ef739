"""PrototypeContrastHead against the terms written out, and its limit cases."""

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

import mmppc  # noqa: F401
from mmppc.functional.contrast import pixel_prototype_contrast

PLAIN = dict(prototype_mining=False, pixel_sampling=False, intra_reduction='pixel')


def build(num_classes=4, in_channels=6, **options):
    torch.manual_seed(0)
    head = MODELS.build(
        dict(
            type='PrototypeContrastHead',
            in_channels=in_channels,
            channels=8,
            num_classes=num_classes,
            **options,
        )
    )
    head.init_weights()
    return head


def batch(number=2, grid=(5, 7), scale=4, num_classes=4, seed=0):
    """Features at a grid and labels ``scale`` times as fine; a grid cell holds one label."""
    draw = torch.Generator().manual_seed(seed)
    features = torch.randn(number, 6, *grid, generator=draw)
    coarse = torch.randint(num_classes, (number, *grid), generator=draw)
    coarse[:, 0, :3] = 255
    fine = coarse.repeat_interleave(scale, 1).repeat_interleave(scale, 2)
    samples = []
    for label in fine:
        sample = SegDataSample(metainfo=dict(img_path='a.jpg'))
        sample.gt_sem_seg = PixelData(data=label[None])
        samples.append(sample)
    return features.requires_grad_(), coarse, samples


def literal(head, features, labels, temperature=0.1):
    """Cross entropy of the cosines to class means, over labelled pixels."""
    embeddings = head.projector(features).permute(0, 2, 3, 1).flatten(0, 2)
    labels = labels.flatten()
    present = [c for c in range(4) if (labels == c).any()]
    means = torch.stack([embeddings[labels == c].mean(dim=0) for c in present]).detach()
    logits = F.normalize(embeddings, dim=1) @ F.normalize(means, dim=1).T / temperature
    places = torch.tensor([present.index(c) for c in labels[labels < 255].tolist()])
    return F.cross_entropy(logits[labels < 255], places)


@pytest.mark.parametrize('seed', range(3))
def test_equals_the_cross_entropy_of_class_means(seed):
    features, labels, samples = batch(seed=seed)
    head = build(topk=1000, intra_weight=0.3, **PLAIN)
    losses = head.loss((None, features), samples)
    assert list(losses) == ['loss_intra']
    expected = 0.3 * literal(head, features, labels)
    # The choice among equally sure pixels shifts their weights by a thousandth.
    torch.testing.assert_close(losses['loss_intra'], expected, rtol=1e-3, atol=0)
    ours, theirs = (
        torch.autograd.grad(x, features, retain_graph=True)[0]
        for x in (losses['loss_intra'], expected)
    )
    torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-3 * float(theirs.abs().max()))


def test_defaults_are_the_functions_own():
    features, labels, samples = batch()
    head = build(topk=1000)
    torch.manual_seed(1)
    found = head.loss((features,), samples)['loss_intra']
    one_hot = F.one_hot(labels.clamp(max=4), 5)[..., :4].permute(0, 3, 1, 2).float()
    torch.manual_seed(1)
    torch.rand_like(one_hot)  # what the head draws first
    expected = pixel_prototype_contrast(
        [head.projector(features)], [one_hot], None, labels=[labels], topk=1000
    )
    torch.testing.assert_close(found, expected['loss_intra'], rtol=5e-3, atol=0)


def test_ignored_pixels_take_no_part():
    features, labels, samples = batch()
    head = build(topk=1000, **PLAIN)
    torch.manual_seed(1)
    loss = head.loss((features,), samples)['loss_intra']
    gradient = torch.autograd.grad(loss, features)[0]
    ignored = (labels == 255)[:, None].expand_as(gradient)
    assert (gradient[ignored] == 0).all()
    assert (gradient[~ignored] != 0).any()
    changed = torch.where(ignored, 9.0, features.detach())
    torch.manual_seed(1)
    torch.testing.assert_close(head.loss((changed,), samples)['loss_intra'], loss)


def test_another_ignored_label():
    features, _, samples = batch()
    expected = build(**PLAIN).loss((features,), samples)['loss_intra']
    for sample in samples:
        data = sample.gt_sem_seg.data
        data[data == 255] = -1
    head = build(ignore_index=-1, **PLAIN)
    torch.testing.assert_close(
        head.loss((features,), samples)['loss_intra'], expected, rtol=1e-3, atol=0
    )


@pytest.mark.parametrize('value', [255, 2, 77])
def test_no_or_one_class_gives_no_loss(value):
    features, _, samples = batch()
    for sample in samples:
        sample.gt_sem_seg.data.fill_(value)
    loss = build().loss((features,), samples)['loss_intra']
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert features.grad.isfinite().all()


def test_prototypes_are_of_randomly_chosen_pixels():
    features, _, samples = batch()
    values = set()
    for seed in range(5):
        torch.manual_seed(seed)
        with torch.no_grad():
            values.add(build_and_loss(features, samples, seed))
    assert len(values) == 5


def build_and_loss(features, samples, seed):
    head = build(topk=1, **PLAIN)
    torch.manual_seed(seed)
    return head.loss((features,), samples)['loss_intra'].item()


def test_only_the_projection_learns():
    assert [name for name, _ in build().named_parameters()] == ['projector.conv.weight']


def test_wrong_use_is_refused():
    features, _, samples = batch()
    del samples[1].gt_sem_seg
    with pytest.raises(ValueError, match=r'a\.jpg: .* needs gt_sem_seg'):
        build().loss((features,), samples)
    with pytest.raises(ValueError, match=r'num_classes must be in 1 \.\. 255, got 256'):
        build(num_classes=256)
    with pytest.raises(TypeError, match='no option'):
        build(temprature=0.1)


def loss_of_all(features, samples):
    head = build(topk=1000, **PLAIN)
    loss = head.loss((features,), samples)['loss_intra']
    return loss.detach(), torch.autograd.grad(loss, head.projector.conv.weight)[0]


def run_rank(rank, folder):
    torch.set_num_threads(1)
    dist.init_process_group('gloo', init_method=f'file://{folder}/meeting', rank=rank, world_size=2)
    features, _, samples = batch(4)
    own = slice(2 * rank, 2 * rank + 2)
    torch.save(loss_of_all(features[own], samples[own]), f'{folder}/{rank}.pt')
    dist.barrier()  # PyTorch 2.1 may hang where a group ends while a collective holds a tensor
    dist.destroy_process_group()


def test_two_ranks_equal_one(tmp_path):
    mp.spawn(run_rank, args=(str(tmp_path),), nprocs=2)
    features, _, samples = batch(4)
    ranks = [torch.load(tmp_path / f'{rank}.pt') for rank in range(2)]
    # Each rank makes its own choice among equally sure pixels, which shifts their weights by a thousandth.
    for one, *both in zip(loss_of_all(features, samples), *ranks):
        torch.testing.assert_close(sum(both) / 2, one, rtol=0, atol=2e-3 * float(one.abs().max()))
