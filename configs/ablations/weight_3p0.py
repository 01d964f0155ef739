# Weight of the contrast's terms, alpha and beta of Eq. 1: 3.0.
_base_ = ['../ppc_seam_{{$MMPPC_DATASET:voc}}.py']
model = dict(losses=dict(contrast=dict(cross_weight=3.0, intra_weight=3.0)))
