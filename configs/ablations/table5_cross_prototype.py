# Table 5, + cross prototype: SEAM and the contrast with the other view's prototypes (Eq. 6).
_base_ = ['../ppc_seam_{{$MMPPC_DATASET:voc}}.py']
model = dict(losses=dict(contrast=dict(cross_prototype=True, cross_cam=False, intra=False)))
