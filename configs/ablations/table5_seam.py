# Table 5, SEAM (baseline); Table 6, K = 0.
_base_ = ['../seam_{{$MMPPC_DATASET:voc}}.py']
