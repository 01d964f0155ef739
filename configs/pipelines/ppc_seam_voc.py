# The paper's way on VOC 2012: PPC on SEAM, PSA's random walk, DeepLab-LargeFOV on ResNet38, tested with the CRF.
_base_ = ['./_base_/voc_data.py', './_base_/seeds_affinity_deeplab.py']
stages = dict(
    cam=dict(config='../ppc_seam_voc.py'),
    affinity=dict(config='../psa_voc.py'),
    segmentation=dict(config='../deeplab-largefov_resnet38_voc.py'),
    final=dict(options={'test_evaluator.crf': 'deeplab'}),
)
