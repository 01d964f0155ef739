# Table 5, + pixel sampling: the whole method; Table 6, K = 32; Table 7, rescale alone.
_base_ = ['../ppc_seam_{{$MMPPC_DATASET:voc}}.py']
