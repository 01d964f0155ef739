# The same on the ResNet101 of the published code, whose stem is twice as wide (64, 64, 128) as that of mmseg's weights:
# tools/model_converters/published_to_mmppc.py resnet101s-03a0f310.pth pretrained/resnet101s.pth
_base_ = ['./deeplab-largefov_resnet101_voc.py']
model = dict(
    backbone=dict(
        stem_channels=128,
        init_cfg=dict(checkpoint='pretrained/resnet101s.pth', prefix='backbone.'),
    )
)
