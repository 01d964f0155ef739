# The paper's second way on VOC 2012: PPC on EPS (saliency maps in `Saliency/`), its masks, DeepLab-ASPP on ResNet101.
_base_ = ['./_base_/voc_data.py', './_base_/seeds_crf_deeplab.py']
stages = dict(
    cam=dict(config='../ppc_eps_voc.py'),
    masks=dict(threshold=None),  # the config's background, which follows the scores
    segmentation=dict(config='../deeplab-aspp_resnet101_voc.py'),
    final=dict(options={'test_evaluator.crf': 'deeplab'}),
)
