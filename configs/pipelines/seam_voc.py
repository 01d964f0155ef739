# SEAM on VOC 2012: SEAM, PSA's random walk with its values, DeepLab-LargeFOV on ResNet38, tested with the CRF.
_base_ = ['./_base_/voc_data.py', './_base_/seeds_affinity_deeplab.py']
stages = dict(
    cam=dict(config='../seam_voc.py'),
    affinity=dict(config='../psa_voc_seam.py'),
    segmentation=dict(config='../deeplab-largefov_resnet38_voc_seam.py'),
    final=dict(options={'test_evaluator.crf': 'deeplab'}),
)
