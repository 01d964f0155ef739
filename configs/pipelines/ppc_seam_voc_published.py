# The same with the semantics of the published code, which the paper's figures presumably come from.
_base_ = ['./ppc_seam_voc.py']
stages = dict(cam=dict(config='../ppc_seam_voc_published.py'))
