"""How maps and masks look over a picture."""

from mmppc.visualization.overlay import heat_colours, overlay, paint_mask

__all__ = ['heat_colours', 'overlay', 'paint_mask']
