# Temperature of the contrast, 0.05 instead of 0.1.
_base_ = ['../ppc_seam_{{$MMPPC_DATASET:voc}}.py']
model = dict(losses=dict(contrast=dict(temperature=0.05)))
