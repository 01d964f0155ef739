# Background threshold of the contrast's labels, 0.2 as published.
_base_ = ['../ppc_seam_{{$MMPPC_DATASET:voc}}.py']
model = dict(losses=dict(contrast=dict(bg_threshold=0.2)))
