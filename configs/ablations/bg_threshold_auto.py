# Background threshold of the contrast's labels from the scores themselves instead of 0.2; an extension.
_base_ = ['../ppc_seam_{{$MMPPC_DATASET:voc}}.py']
model = dict(losses=dict(contrast=dict(bg_threshold='auto')))
