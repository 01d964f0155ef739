# Table 5, + intra view: the row before and the contrast within each view (Eq. 9), with all negatives and all pixels.
_base_ = ['./table5_cross_cam.py']
model = dict(losses=dict(contrast=dict(intra=True, prototype_mining=False, pixel_sampling=False)))
