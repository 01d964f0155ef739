# The paper's networks on your own pictures, for a GPU: PPC on SEAM, PSA's random walk, DeepLab-LargeFOV on ResNet38.
_base_ = ['./_base_/own_data.py', './_base_/seeds_affinity_deeplab.py']
# Rounds over the pictures as on VOC; on few pictures no fewer steps than a quarter of VOC's.
stages = dict(
    cam=dict(config='../ppc_seam_voc.py', epochs=8, min_iters=2644),
    affinity=dict(config='../psa_voc.py', epochs=8, min_iters=2644),
    segmentation=dict(config='../deeplab-largefov_resnet38_voc.py', epochs=19, min_iters=5000),
    final=dict(options={'test_evaluator.crf': 'deeplab'}),
)
