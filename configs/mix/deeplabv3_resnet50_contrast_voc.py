# Stock DeepLabV3 with the pixel-to-prototype contrast under dense labels as its auxiliary head.
_base_ = ['./deeplabv3_resnet50_voc.py']
model = dict(
    auxiliary_head=dict(
        type='PrototypeContrastHead',
        in_channels=2048,
        in_index=3,
        channels=128,
        num_classes=21,
        topk=256,
        intra_weight=0.1,
    )
)
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={'auxiliary_head': dict(lr_mult=10)}))
