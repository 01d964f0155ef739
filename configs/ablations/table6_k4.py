# Table 6, K = 4 pixels make a prototype.
_base_ = ['../ppc_seam_{{$MMPPC_DATASET:voc}}.py']
model = dict(losses=dict(contrast=dict(topk=4)))
