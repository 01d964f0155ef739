# Table 7, rescale and flip: the second view is a small mirror image.
_base_ = ['../ppc_seam_{{$MMPPC_DATASET:voc}}.py']
model = dict(
    view=dict(
        _delete_=True,
        type='CombinedView',
        views=[dict(type='FlipView'), _base_.model.view],
    )
)
