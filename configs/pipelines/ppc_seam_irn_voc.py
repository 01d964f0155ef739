# PPC on SEAM, IRN's boundaries and random walk, DeepLab-LargeFOV on ResNet38, on VOC 2012.
_base_ = ['./_base_/voc_data.py', './_base_/seeds_affinity_deeplab.py']
stages = dict(
    cam=dict(config='../ppc_seam_voc.py'),
    affinity=dict(config='../irn_voc.py'),
    segmentation=dict(config='../deeplab-largefov_resnet38_voc.py'),
    final=dict(options={'test_evaluator.crf': 'deeplab'}),
)
