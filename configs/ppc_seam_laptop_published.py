# The same with the semantics of the published code, see docs/method.md for the differences.
_base_ = ['./ppc_seam_laptop.py']
model = dict(
    losses=dict(
        contrast=dict(preset='published', bg_threshold=0.2, cross_weight=0.1, intra_weight=0.1)
    )
)
