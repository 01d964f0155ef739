# PPC on SEAM, dense CRF, DeepLab-LargeFOV, on the toy set: some minutes on a CPU.
_base_ = ['./_base_/toy_data.py', './_base_/seeds_crf_deeplab.py']
# The paper's networks start from ImageNet. In the place of it a plain classifier learns the tags of the same pictures:
# the CAM network starts from its backbone, DeepLab from that of the CAM network.
from_pretraining = dict(
    type='Pretrained', checkpoint='{pretraining.checkpoint}', prefix='backbone.'
)
from_cam = dict(_delete_=True, type='Pretrained', checkpoint='{cam.checkpoint}', prefix='backbone.')
stages = dict(
    pretraining=dict(do='train', title='pretrain on the tags', config='../cam_toy.py', epochs=16),
    cam=dict(
        config='../ppc_seam_toy.py',
        options={'model.backbone.init_cfg': from_pretraining},
    ),
    segmentation=dict(
        config='../deeplab-largefov_resnet38_toy.py',
        options={'model.backbone.init_cfg': from_cam},
    ),
)
