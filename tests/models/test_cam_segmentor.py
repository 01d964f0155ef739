"""The CAM stage: views, losses, gradients' ways, predictions and their merging."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import LabelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

import mmppc  # noqa: F401
from mmppc.models.outputs import ViewOutput
from mmppc.models.segmentors import CAMSegmentor
from mmppc.models.views import RescaleView, resize_maps

CLASSES = 4
PPC = dict(
    neck=dict(type='PixelProjector', in_channels=128, out_channels=8),
    losses=dict(contrast=dict(type='PixelPrototypeContrastLoss', topk=4)),
)


def build(**changes: dict) -> CAMSegmentor:
    """A PPC-SEAM segmentor on a tiny ResNet38; ``changes`` replace its parts, ``losses`` are added."""
    losses = dict(
        tags=dict(type='TagClassificationLoss'), equivariance=dict(type='EquivarianceLoss')
    )
    config = dict(
        type='CAMSegmentor',
        backbone=dict(
            type='ResNet38', base_channels=2, depths=(1, 1, 1, 1), drop_ratios=(0.0, 0.0)
        ),
        decode_head=dict(
            type='CAMHead',
            in_channels=128,
            num_classes=CLASSES,
            dropout_ratio=0.0,
            refine=dict(
                type='PixelCorrelation', in_channels=(16, 32), channels=(4, 8), out_channels=12
            ),
        ),
        view=dict(type='RescaleView', size=(32, 32)),
    )
    config.update({key: value for key, value in changes.items() if key != 'losses'})
    config['losses'] = {**losses, **changes.get('losses', {})}
    torch.manual_seed(0)
    model = MODELS.build(config)
    model.init_weights()
    return model


def batch(number: int = 2, side: int = 64) -> tuple[torch.Tensor, list[SegDataSample]]:
    """Pictures and samples; picture k has tags k and k + 1."""
    generator = torch.Generator().manual_seed(1)
    samples = []
    for k in range(number):
        label = torch.zeros(CLASSES - 1)
        label[[k % 3, (k + 1) % 3]] = 1
        sample = SegDataSample(
            metainfo=dict(ori_shape=(side, side), img_path=f'{k}.jpg', sample_id=str(k))
        )
        sample.gt_tags = LabelData(label=label)
        samples.append(sample)
    return torch.randn(number, 3, side, side, generator=generator), samples


def gradients(model: CAMSegmentor, term: str) -> set[str]:
    """Parts of the model that a term's gradient reaches."""
    inputs, samples = batch()
    model.train()
    value = model.loss(inputs, samples)[term]
    model.zero_grad()
    value.backward()
    reached = set()
    for name, parameter in model.named_parameters():
        if parameter.grad is not None and parameter.grad.abs().max() > 0:
            parts = name.split('.')
            reached.add('.'.join(parts[:2]) if parts[0] == 'decode_head' else parts[0])
    return reached


def test_terms_of_a_step() -> None:
    inputs, samples = batch()
    losses = build(**PPC).loss(inputs, samples)
    assert set(losses) == {
        'loss_tags', 'loss_er', 'loss_ecr', 'loss_min_pool',
        'loss_cross_prototype', 'loss_cross_cam', 'loss_intra',
    }  # fmt: skip
    assert all(value.isfinite() and value.ndim == 0 for value in losses.values())


@pytest.mark.parametrize(
    ('term', 'expected'),
    [
        ('loss_tags', {'backbone', 'decode_head.conv_seg'}),
        ('loss_er', {'backbone', 'decode_head.conv_seg'}),
        ('loss_ecr', {'decode_head.refine'}),
        ('loss_min_pool', {'decode_head.refine'}),
        ('loss_cross_prototype', {'backbone', 'neck'}),
        ('loss_cross_cam', {'backbone', 'neck'}),
        ('loss_intra', {'backbone', 'neck'}),
    ],
)
def test_gradients_reach_what_they_should(term: str, expected: set[str]) -> None:
    assert gradients(build(**PPC), term) == expected


def test_no_embeddings_or_losses_at_inference(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(**PPC).eval()
    for part in (model.neck, model.view, *model.losses.values()):
        monkeypatch.setattr(part, 'forward', lambda *_: pytest.fail('run at inference'))
    inputs, samples = batch()
    model.predict(inputs, samples)


def test_one_view_gives_the_intra_term_only() -> None:
    model = build(view=None, neck=PPC['neck'], losses=dict(equivariance=None, **PPC['losses']))
    inputs, samples = batch()
    assert set(model.loss(inputs, samples)) == {'loss_tags', 'loss_intra'}


def test_prediction_has_tagged_classes_only_at_the_original_size() -> None:
    model = build(test_cfg=dict(maps='logits', activation='softmax')).eval()
    inputs, samples = batch()
    samples[0].set_metainfo(dict(ori_shape=(50, 70)))
    first = model.predict(inputs, samples)[0]
    scores = first.seg_logits.data
    assert scores.shape == (CLASSES, 50, 70)
    assert torch.all(scores[0] == 0.2)
    assert torch.all(scores[3] == 0)
    for channel in (1, 2):
        assert scores[channel].min() == 0
        assert float(scores[channel].max()) == pytest.approx(1, abs=1e-3)
    assert torch.equal(first.pred_sem_seg.data, scores.argmax(dim=0, keepdim=True))


def test_picture_without_any_tag_is_background() -> None:
    model = build().eval()
    inputs, samples = batch(1)
    samples[0].gt_tags.label.zero_()
    prediction = model.predict(inputs, samples)[0]
    assert torch.all(prediction.pred_sem_seg.data == 0)
    assert len(prediction.raw_cams.data) == 0


def test_unknown_tags_are_predicted() -> None:
    model = build(test_cfg=dict(tag_threshold=1.0)).eval()  # so that only the likeliest is left
    inputs, samples = batch(1)
    del samples[0].gt_tags
    prediction = model.predict(inputs, samples)[0]
    present = prediction.seg_logits.data[1:].amax(dim=(1, 2)) > 0
    assert present.sum() == 1
    assert present[prediction.pred_tags.score.argmax()]


@pytest.mark.parametrize('pool', ['upsampled', 'mean'])
def test_tags_are_scored_by_the_average_that_they_are_trained_with(pool: str) -> None:
    model = build(losses=dict(tags=dict(type='TagClassificationLoss', pool=pool))).eval()
    inputs, samples = batch()
    logits = model.forward_view(inputs).logits
    maps = resize_maps(logits, inputs.shape[-2:]) if pool == 'upsampled' else logits
    expected = maps.mean(dim=(2, 3))[:, 1:].sigmoid()
    scores = torch.stack([sample.pred_tags.score for sample in model.predict(inputs, samples)])
    torch.testing.assert_close(scores, expected)
    tags = torch.stack([sample.gt_tags.label for sample in samples])
    view = ViewOutput(logits=logits, size=(64, 64))
    loss = F.binary_cross_entropy(scores, tags)
    torch.testing.assert_close(loss, model.losses['tags']([view], tags)['loss_tags'])


def test_flipped_input_gives_the_flipped_back_prediction() -> None:
    model = build().eval()
    inputs, samples = batch(1)
    plain = model.predict(inputs, samples)[0].raw_cams.data.clone()
    samples[0].set_metainfo(dict(flip=True, flip_direction='horizontal'))
    again = model.predict(inputs, samples)[0].raw_cams.data
    assert torch.equal(again.flip(-1), plain)


def test_merging_adds_the_variants_and_normalises_once() -> None:
    model = build().eval()
    wrapper = MODELS.build(dict(type='CAMTTAModel', module=model))
    inputs, samples = batch(1)
    small = F.interpolate(inputs, scale_factor=0.5)
    variants = []
    for picture in (inputs, small):
        copy = samples[0].clone()
        copy.gt_tags = LabelData(label=samples[0].gt_tags.label.clone())
        variants.append(model.predict(picture, [copy])[0])
    raw = sum(variant.raw_cams.data for variant in variants)
    merged = wrapper.merge_preds([variants])[0]
    low, high = raw.amin(dim=(1, 2), keepdim=True), raw.amax(dim=(1, 2), keepdim=True)
    expected = ((raw - low - 1e-5) / (high - low + 1e-5)).clamp(0, 1)
    torch.testing.assert_close(merged.seg_logits.data[1:3], expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize('tagged', [True, False])
def test_variants_of_one_size_run_in_one_batch_and_are_finished_once(
    monkeypatch: pytest.MonkeyPatch, tagged: bool
) -> None:
    preprocessor = dict(type='mmseg.SegDataPreProcessor', test_cfg=dict(size_divisor=1))
    model = build(data_preprocessor=preprocessor).eval()
    wrapper = MODELS.build(dict(type='CAMTTAModel', module=model))
    inputs, samples = batch(1)
    if not tagged:
        del samples[0].gt_tags
    mirrored = samples[0].clone()
    mirrored.set_metainfo(dict(flip=True, flip_direction='horizontal'))
    small = F.interpolate(inputs, scale_factor=0.5)[0]
    data = {
        'inputs': [[inputs[0]], [inputs[0].flip(-1)], [small]],
        'data_samples': [[samples[0].clone()], [mirrored.clone()], [samples[0].clone()]],
    }
    variants = [
        model.predict(picture[None], [sample.clone()])[0]
        for [picture], [sample] in zip(*data.values())
    ]
    expected = wrapper.merge_preds([variants])[0]

    sizes, finished = [], []
    extract_feat, finish = model.extract_feat, model.finish
    monkeypatch.setattr(model, 'extract_feat', lambda x: sizes.append(len(x)) or extract_feat(x))
    monkeypatch.setattr(model, 'finish', lambda *x: finished.append(1) or finish(*x))
    (merged,) = wrapper.test_step(data)
    assert sizes == [2, 1]
    assert len(finished) == 1
    for name in ('raw_cams', 'seg_logits', 'pred_sem_seg'):
        torch.testing.assert_close(merged.get(name).data, expected.get(name).data)
    torch.testing.assert_close(merged.pred_tags.score, expected.pred_tags.score)
    assert torch.equal(merged.pred_tags.label, expected.pred_tags.label)


def test_logits_are_averaged() -> None:
    wrapper = MODELS.build(dict(type='LogitTTAModel', module=build()))
    from mmengine.structures import PixelData

    variants = []
    for value in (0.0, 4.0):
        sample = SegDataSample()
        logits = torch.zeros(2, 1, 2)
        logits[1, 0, 0], logits[1, 0, 1] = value - 1, -value
        sample.seg_logits = PixelData(data=logits)
        variants.append(sample)
    merged = wrapper.merge_preds([variants])[0]
    assert merged.seg_logits.data[1].flatten().tolist() == [1.0, -2.0]
    assert merged.pred_sem_seg.data.flatten().tolist() == [1, 0]


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(view=None), 'compares two views'),
        (
            dict(decode_head=dict(type='CAMHead', in_channels=128, num_classes=CLASSES)),
            'needs refined maps',
        ),
        (dict(losses=PPC['losses']), 'needs embeddings'),
        (
            dict(losses=dict(again=dict(type='TagClassificationLoss'))),
            'repeats',
        ),
    ],
)
def test_terms_without_what_they_need_say_so(changes: dict, message: str) -> None:
    inputs, samples = batch()
    with pytest.raises(ValueError, match=message):
        build(**changes).loss(inputs, samples)


def test_tags_that_do_not_fit_the_head_are_refused() -> None:
    inputs, samples = batch()
    for sample in samples:
        sample.gt_tags = LabelData(label=torch.ones(5))
    with pytest.raises(ValueError, match=r'3 classes beside the background .*the tags have 5'):
        build().loss(inputs, samples)
    with pytest.raises(ValueError, match='the tags have 5'):
        build().eval().predict(inputs, samples)


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(ValueError, match='test_cfg has no entry'):
        build(test_cfg=dict(scale=2))
    with pytest.raises(ValueError, match='must be one of'):
        build(test_cfg=dict(normalize='mean'))
    with pytest.raises(ValueError, match='counts the background'):
        MODELS.build(dict(type='CAMHead', in_channels=8, num_classes=1))
    with pytest.raises(ValueError, match='either size or scale'):
        RescaleView()
    with pytest.raises(ValueError, match='pool must be'):
        MODELS.build(dict(type='TagClassificationLoss', pool='max'))
    with pytest.raises(TypeError, match='no option'):
        MODELS.build(dict(type='PixelPrototypeContrastLoss', top_k=3))
    with pytest.raises(ValueError, match='cam_source must be'):
        MODELS.build(dict(type='PixelPrototypeContrastLoss', cam_source='cam'))


def test_rescale_view_of_picture_and_maps() -> None:
    view = RescaleView(scale=0.3)
    inputs = torch.randn(1, 3, 448, 448)
    second, warp = view(inputs)
    assert second.shape[-2:] == (134, 134)
    assert torch.equal(second, resize_maps(inputs, (134, 134)))
    maps = torch.randn(1, 2, 56, 56)
    assert warp(maps).shape[-2:] == (17, 17)
    assert torch.equal(warp(maps, (16, 16)), resize_maps(maps, (16, 16)))


def test_pooled_scores_are_of_the_upsampled_map() -> None:
    view = ViewOutput(logits=torch.randn(2, CLASSES, 7, 5), size=(56, 40))
    tags = torch.eye(CLASSES - 1)[:2]
    upsampled = resize_maps(view.logits, view.size).mean(dim=(2, 3))[:, 1:]
    loss = MODELS.build(dict(type='TagClassificationLoss'))([view, view], tags)['loss_tags']
    torch.testing.assert_close(loss, F.multilabel_soft_margin_loss(upsampled, tags))


def test_two_steps_of_training_change_every_trained_part() -> None:
    model = build(**PPC)
    inputs, samples = batch()
    optimizer = torch.optim.SGD(
        [parameter for parameter in model.parameters() if parameter.requires_grad], lr=0.1
    )
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for _ in range(2):
        optimizer.zero_grad()
        sum(model.loss(inputs, samples).values()).backward()
        optimizer.step()
    changed = {
        name for name, value in model.state_dict().items() if not torch.equal(before[name], value)
    }
    for part in ('decode_head.conv_seg', 'decode_head.refine.fuse', 'neck.conv', 'backbone.b7'):
        assert any(name.startswith(part) for name in changed), part
    assert not any(name.startswith(('backbone.conv1a', 'backbone.b2.')) for name in changed)
    assert not any('running' in name for name in changed)


@pytest.mark.parametrize(
    ('backbone', 'channels', 'taps', 'indices'),
    [
        (
            dict(type='mmpretrain.ResNet', depth=18, out_indices=(0, 1, 2, 3)),
            512,
            (64, 128),
            (0, 1),
        ),
        (
            dict(
                type='TIMMBackbone',
                model_name='tf_efficientnet_lite0',
                features_only=True,
                pretrained=False,
                output_stride=16,
            ),
            320,
            (40, 112),
            (2, 3),
        ),
    ],
    ids=['mmpretrain', 'timm'],
)
def test_other_backbones_by_config(
    backbone: dict, channels: int, taps: tuple, indices: tuple
) -> None:
    model = build(
        backbone=backbone,
        neck=dict(type='PixelProjector', in_channels=channels, out_channels=8),
        decode_head=dict(
            type='CAMHead',
            in_channels=channels,
            num_classes=CLASSES,
            refine=dict(
                type='PixelCorrelation',
                in_channels=taps,
                in_indices=indices,
                channels=(4, 8),
                out_channels=12,
            ),
        ),
        losses=PPC['losses'],
    )
    inputs, samples = batch()
    losses = model.loss(inputs, samples)
    assert len(losses) == 7
    sum(losses.values()).backward()
    assert model.neck.conv.weight.grad.abs().max() > 0
    assert model.eval().predict(inputs, samples)[0].seg_logits.data.shape == (CLASSES, 64, 64)


def test_maps_go_to_the_picture_by_way_of_the_input_or_directly():
    maps = torch.rand(2, 5, 6)
    sample = SegDataSample(metainfo=dict(ori_shape=(31, 47)))
    found = {}
    for way in ('via_input', 'direct'):
        segmentor = build(test_cfg=dict(upsample=way))
        found[way] = segmentor._to_picture(maps, sample, (40, 48))
    direct = F.interpolate(maps[None], size=(31, 47), mode='bilinear', align_corners=False)[0]
    torch.testing.assert_close(found['direct'], direct)
    between = F.interpolate(maps[None], size=(40, 48), mode='bilinear', align_corners=True)
    twice = F.interpolate(between, size=(31, 47), mode='bilinear', align_corners=False)[0]
    torch.testing.assert_close(found['via_input'], twice)
    assert (direct - twice).abs().max() > 1e-3


def test_the_contrast_can_label_pixels_by_softmax_maps():
    logits = torch.randn(2, 4, 6, 6)
    embeddings = torch.randn(2, 8, 6, 6)
    tags = torch.tensor([[1.0, 0, 1], [0, 1, 0]])

    def losses(source, maps):
        torch.manual_seed(0)
        contrast = MODELS.build(
            dict(type='PixelPrototypeContrastLoss', cam_source=source, topk=4, bg_threshold=0.3)
        )
        view = ViewOutput(logits=maps, size=(48, 48), embeddings=embeddings)
        return contrast([view], tags)['loss_intra']

    torch.testing.assert_close(losses('softmax', logits), losses('logits', logits.softmax(1)))
    assert losses('softmax', logits) != losses('logits', logits)


@pytest.mark.parametrize('flip', [False, True])
def test_padding_of_the_input_is_cut_off(flip):
    maps = torch.rand(2, 8, 8)
    info = dict(ori_shape=(50, 70), img_shape=(40, 56), flip=flip, flip_direction='horizontal')
    found = build()._to_picture(maps, SegDataSample(metainfo=info), (64, 64))
    whole = F.interpolate(maps[None], size=(64, 64), mode='bilinear', align_corners=True)
    part = whole[..., :40, :56].flip(3) if flip else whole[..., :40, :56]
    expected = F.interpolate(part, size=(50, 70), mode='bilinear', align_corners=False)[0]
    torch.testing.assert_close(found, expected)
