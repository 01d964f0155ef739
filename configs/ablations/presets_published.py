# Presets, published: the whole method with the semantics of the published code.
_base_ = ['../ppc_seam_{{$MMPPC_DATASET:voc}}.py']
model = dict(
    losses=dict(
        contrast=dict(preset='published', bg_threshold=0.2, cross_weight=0.1, intra_weight=0.1)
    )
)
