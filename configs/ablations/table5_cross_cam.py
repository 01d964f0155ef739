# Table 5, + cross CAM: the row before and the contrast with the other view's labels (Eq. 7).
_base_ = ['./table5_cross_prototype.py']
model = dict(losses=dict(contrast=dict(cross_cam=True)))
