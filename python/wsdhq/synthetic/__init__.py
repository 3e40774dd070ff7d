"""The embedded data set: a made-up world of tagged images, drawn on the spot.

Composed objects before textured scenes, tagged as careless users tag: synonyms, plurals,
slips of the keyboard, vague, missing and wrong words. `render_world` writes it to a folder
as images, tags and labels, the same bytes for the same seed.
"""

from wsdhq.synthetic.world import SyntheticWorld, render_world

__all__ = ["SyntheticWorld", "render_world"]
