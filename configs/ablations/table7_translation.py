# Table 7, rescale and translation: the second view is moved by 16 px of the source picture.
_base_ = ['../ppc_seam_{{$MMPPC_DATASET:voc}}.py']
model = dict(
    view=dict(
        _delete_=True,
        type='CombinedView',
        views=[dict(type='TranslateView', pixels=16), _base_.model.view],
    )
)
