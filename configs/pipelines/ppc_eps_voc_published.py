# The same with the semantics of the published code, and its DeepLab-ASPP: the network of the paper's Table 4.
_base_ = ['./ppc_eps_voc.py']
stages = dict(
    cam=dict(config='../ppc_eps_voc_published.py'),
    segmentation=dict(config='../deeplab-aspp_resnet101_voc_published.py'),
)
