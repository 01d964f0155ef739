# Weight of the contrast's terms, alpha and beta of Eq. 1: 0.1, as in the paper.
_base_ = ['../ppc_seam_{{$MMPPC_DATASET:voc}}.py']
model = dict(losses=dict(contrast=dict(cross_weight=0.1, intra_weight=0.1)))
