# Seeds from a stock DeepLabV3, for instance to start a second round: its probabilities of the tagged classes are the
# scores. Test only, with --tta; then tools/make_masks.py as behind a CAM network.
_base_ = ['./deeplabv3_resnet50_voc.py']
data_root = 'data/VOCdevkit/VOC2012'
tta_model = dict(_delete_=True, type='ProbabilityTTAModel', threshold=0.5)
test_dataloader = dict(
    dataset=dict(
        ann_file=f'{data_root}/ImageSets/Segmentation/train_aug.txt',
        tag_file=f'{data_root}/Annotations',
        require_masks=False,  # only those of `train` are there to measure with
    )
)
test_evaluator = dict(
    _delete_=True,
    type='SeedMetric',
    split='train',
    threshold=None,
    thresholds=[k / 100 for k in range(100)],
)
custom_hooks = [dict(type='SeedGenerationHook')]
mask_stage = dict(threshold_from='seed_metric_train.json', crf='seed')
