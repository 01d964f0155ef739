# Table 7, rescale and rotation: the second view is turned by up to 20 degrees.
_base_ = ['../ppc_seam_{{$MMPPC_DATASET:voc}}.py']
model = dict(
    view=dict(
        _delete_=True,
        type='CombinedView',
        views=[dict(type='RotateView', degrees=(-20, 20)), _base_.model.view],
    )
)
