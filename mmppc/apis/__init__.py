"""Trained networks on new pictures: a path, an array, a folder or a video in, maps and masks out."""

from mmppc.apis.cam_inferencer import CAMInferencer
from mmppc.apis.seg_inferencer import SegInferencer
from mmppc.apis.work_folders import find_network, open_network

__all__ = ['CAMInferencer', 'SegInferencer', 'find_network', 'open_network']
