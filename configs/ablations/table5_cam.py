# Table 5, CAM: one view, tags only. MMPPC_DATASET (voc, toy, laptop) chooses among the configs of the method.
_base_ = ['../cam_{{$MMPPC_DATASET:voc}}.py']
