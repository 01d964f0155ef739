# Presets, paper: the whole method with the numbers of the preset, whatever the data set's own are.
_base_ = ['../ppc_seam_{{$MMPPC_DATASET:voc}}.py']
model = dict(losses=dict(contrast=dict(bg_threshold=0.2, cross_weight=0.1, intra_weight=0.1)))
