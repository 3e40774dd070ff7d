"""How the living and the natural kinds are drawn: each fits a circle of radius one."""

from __future__ import annotations

import math

from wsdhq.synthetic.colours import RGB, mix
from wsdhq.synthetic.pen import Paint, Pen, Point, arc

INK: RGB = (34, 28, 38)
WHITE: RGB = (252, 251, 247)
BARK: RGB = (112, 74, 44)
LEAF: RGB = (74, 150, 66)


def draw_star(pen: Pen, paint: Paint, variant: int) -> None:
    """A five-pointed star with lit facets, its points sharp or plump."""
    inner = (0.42, 0.50, 0.40)[variant]
    rim: list[Point] = []
    for i in range(10):
        reach = inner if i % 2 else 1.0
        rim.append((reach * math.sin(math.pi * i / 5), -reach * math.cos(math.pi * i / 5)))
    pen.polygon(rim, mix(paint.main, paint.dark, 0.4))
    for i in range(0, 10, 2):
        pen.polygon([(0.0, 0.0), rim[i], rim[(i + 1) % 10]], paint.light)


def draw_heart(pen: Pen, paint: Paint, variant: int) -> None:
    """A heart with a highlight; one variant carries a band, another a smaller heart."""
    outline = [_heart_point(2 * math.pi * i / 40) for i in range(40)]
    pen.polygon(outline, paint.main)
    if variant == 1:
        pen.polygon([(0.55 * x, 0.55 * y) for x, y in outline], paint.light)
    elif variant == 2:
        pen.polygon([(x, y) for x, y in outline if y > 0.1], paint.dark)
    pen.ellipse(-0.48, -0.42, 0.20, 0.11, paint.pale, tilt=-40)


def _heart_point(t: float) -> Point:
    x = 16 * math.sin(t) ** 3
    y = -(13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t))
    return 0.058 * x, 0.058 * (y - 1.5)


def draw_moon(pen: Pen, paint: Paint, variant: int) -> None:
    """A crescent moon with craters."""
    depth = (0.74, 0.58, 0.90)[variant]
    outer = arc(0.12, 0, 0.95, 0.95, 62, 298, 30)
    inner = arc(0.57, 0, depth, 0.84, 270, 90, 26)
    pen.polygon(outer + inner, paint.main)
    pen.polygon(
        arc(0.12, 0, 0.95, 0.95, 180, 298, 20) + arc(0.17, 0, 0.88, 0.90, 298, 180, 20),
        paint.light,
    )
    for x, y, radius in ((-0.56, 0.18, 0.10), (-0.42, -0.36, 0.08), (-0.34, 0.52, 0.09)):
        pen.disc(x, y, radius, paint.dark)


def draw_tree(pen: Pen, paint: Paint, variant: int) -> None:
    """A tree: two broad crowns or a conifer."""
    pen.polygon([(-0.13, 0.1), (0.13, 0.1), (0.19, 0.98), (-0.19, 0.98)], BARK)
    pen.polygon([(0.02, 0.1), (0.13, 0.1), (0.19, 0.98), (0.05, 0.98)], mix(BARK, INK, 0.3))
    if variant == 2:
        for base, half, top in ((0.62, 0.70, -0.02), (0.22, 0.58, -0.46), (-0.20, 0.44, -0.98)):
            pen.polygon([(-half, base), (0.0, top), (half, base)], paint.main)
            pen.polygon([(0.08, base), (0.0, top), (half, base)], paint.dark)
        return
    puffs = [(-0.40, 0.02, 0.40), (0.40, 0.02, 0.40), (-0.24, -0.42, 0.40), (0.26, -0.42, 0.40)]
    if variant == 1:
        puffs = [(0.0, -0.20, 0.62), (-0.26, 0.06, 0.42), (0.26, 0.06, 0.42)]
    for x, y, radius in puffs:
        pen.disc(x + 0.04, y + 0.06, radius, paint.dark)
    for x, y, radius in puffs:
        pen.disc(x, y, radius * 0.92, paint.main)
    for x, y, radius in ((-0.34, -0.46, 0.15), (-0.02, -0.10, 0.12), (-0.48, -0.02, 0.10)):
        pen.disc(x, y, radius, paint.light)


def draw_flower(pen: Pen, paint: Paint, variant: int) -> None:
    """A flower on a stem with two leaves; five, six or eight petals."""
    pen.line([(0.0, -0.1), (0.04, 0.45), (0.0, 0.98)], 0.10, LEAF)
    pen.ellipse(0.27, 0.62, 0.27, 0.11, LEAF, tilt=-32)
    pen.ellipse(-0.25, 0.76, 0.25, 0.10, mix(LEAF, INK, 0.2), tilt=28)
    petals = (5, 6, 8)[variant]
    across = (0.25, 0.22, 0.155)[variant]
    for i in range(petals):
        angle = 2 * math.pi * i / petals - math.pi / 2
        x, y = 0.38 * math.cos(angle), -0.30 + 0.38 * math.sin(angle)
        colour = paint.light if i % 2 and petals % 2 == 0 else paint.main
        pen.ellipse(x, y, 0.31, across, colour, tilt=math.degrees(angle))
    for i in range(petals):
        angle = 2 * math.pi * i / petals - math.pi / 2
        pen.line(
            [
                (0.2 * math.cos(angle), -0.30 + 0.2 * math.sin(angle)),
                (0.45 * math.cos(angle), -0.30 + 0.45 * math.sin(angle)),
            ],
            0.035,
            paint.dark,
        )
    pen.disc(0.0, -0.30, 0.21, paint.accent)
    pen.disc(-0.05, -0.35, 0.09, mix(paint.accent, WHITE, 0.45))


def draw_mushroom(pen: Pen, paint: Paint, variant: int) -> None:
    """A toadstool with a spotted cap, flat, round or pointed."""
    cream: RGB = (244, 232, 208)
    pen.blob([(-0.20, 0.0), (0.20, 0.0), (0.27, 0.85), (0.0, 0.95), (-0.27, 0.85)], cream)
    pen.blob([(0.06, 0.1), (0.19, 0.1), (0.25, 0.82), (0.10, 0.90)], mix(cream, INK, 0.18))
    height = (0.85, 1.00, 1.12)[variant]
    cap = arc(0.0, 0.12, 0.92, height, 180, 360, 28) + arc(0.0, 0.12, 0.92, 0.16, 0, 180, 16)
    pen.polygon(cap, paint.main)
    pen.polygon(arc(0.0, 0.12, 0.92, 0.17, 0, 180, 16), mix(cream, INK, 0.30))
    top = 0.12 - height
    for x, y, radius in (
        (0.02, top + 0.34, 0.17),
        (-0.46, -0.18, 0.13),
        (0.47, -0.22, 0.14),
        (-0.08, -0.02, 0.09),
        (0.72, 0.02, 0.07),
    ):
        pen.ellipse(x, y, radius, radius * 0.88, WHITE)


def draw_apple(pen: Pen, paint: Paint, variant: int) -> None:
    """An apple with a stalk and a leaf; one variant is cut in half."""
    pen.line([(0.0, -0.48), (0.04, -0.72), (0.14, -0.94)], 0.10, BARK)
    body: list[Point] = [
        (0.0, -0.50), (0.34, -0.64), (0.72, -0.46), (0.84, -0.02), (0.70, 0.50), (0.40, 0.88),
        (0.14, 0.92), (0.0, 0.86), (-0.14, 0.92), (-0.40, 0.88), (-0.70, 0.50), (-0.84, -0.02),
        (-0.72, -0.46), (-0.34, -0.64),
    ]  # fmt: skip
    pen.blob(body, paint.main)
    if variant == 2:
        pen.blob([(0.86 * x, 0.12 + 0.86 * (y - 0.12)) for x, y in body], (252, 240, 208))
        pen.blob([(0.0, -0.22), (0.22, 0.16), (0.0, 0.46), (-0.22, 0.16)], (232, 212, 160))
        pen.ellipse(-0.09, 0.16, 0.05, 0.12, INK, tilt=14)
        pen.ellipse(0.09, 0.16, 0.05, 0.12, INK, tilt=-14)
    else:
        pen.blob([(0.50, -0.50), (0.80, -0.05), (0.66, 0.48), (0.36, 0.84), (0.56, 0.3)],
                 paint.dark)  # fmt: skip
        pen.ellipse(-0.46, -0.22, 0.13, 0.24, paint.pale, tilt=24)
    pen.blob([(0.08, -0.66), (0.34, -0.94), (0.66, -0.92), (0.46, -0.66)], LEAF)


def draw_fish(pen: Pen, paint: Paint, variant: int) -> None:
    """A fish swimming to the left, plain, striped or with scales."""
    pen.blob([(0.42, 0.0), (0.98, -0.52), (0.82, 0.0), (0.98, 0.52)], paint.accent)
    pen.blob([(-0.28, -0.36), (0.05, -0.80), (0.42, -0.62), (0.34, -0.24)], paint.accent)
    pen.blob([(-0.1, 0.34), (0.08, 0.68), (0.34, 0.56), (0.26, 0.26)], paint.accent)
    pen.ellipse(-0.16, 0.0, 0.78, 0.46, paint.main)
    pen.polygon(arc(-0.16, 0.0, 0.76, 0.44, 20, 160, 18), paint.light)
    if variant == 1:
        for x, half in ((-0.30, 0.42), (0.02, 0.42), (0.30, 0.34)):
            pen.line([(x, -half), (x + 0.06, 0.0), (x, half)], 0.10, paint.accent)
    elif variant == 2:
        for x, y in ((-0.1, -0.16), (0.14, -0.16), (0.02, 0.06), (0.26, 0.06), (0.36, -0.14)):
            pen.disc(x, y, 0.09, paint.dark)
    pen.blob([(-0.14, 0.04), (0.14, 0.0), (0.22, 0.22), (-0.02, 0.20)], paint.dark)
    pen.disc(-0.58, -0.10, 0.13, WHITE)
    pen.disc(-0.61, -0.09, 0.07, INK)
    pen.line([(-0.92, 0.10), (-0.80, 0.14), (-0.72, 0.11)], 0.045, paint.deep)


def draw_bird(pen: Pen, paint: Paint, variant: int) -> None:
    """A songbird looking to the left, its wing folded, raised or patterned."""
    beak: RGB = (246, 164, 42)
    pen.polygon([(0.42, 0.02), (0.98, -0.20), (0.98, 0.10), (0.50, 0.36)], paint.deep)
    for x in (-0.08, 0.14):
        pen.line([(x, 0.55), (x, 0.92), (x - 0.16, 0.94)], 0.055, beak)
    pen.polygon([(-0.72, -0.46), (-0.99, -0.30), (-0.70, -0.18)], beak)
    pen.blob(
        [(-0.76, -0.34), (-0.50, -0.74), (-0.14, -0.58), (0.30, -0.22), (0.66, 0.06),
         (0.40, 0.52), (-0.04, 0.66), (-0.48, 0.44), (-0.64, 0.0)],
        paint.main,
    )  # fmt: skip
    pen.blob([(-0.56, 0.0), (-0.28, 0.10), (-0.02, 0.46), (-0.10, 0.62), (-0.44, 0.40)], paint.pale)
    if variant == 1:
        pen.blob(
            [(-0.20, 0.02), (0.10, -0.36), (0.62, -0.94), (0.52, 0.02), (0.2, 0.2)], paint.dark
        )
        pen.line([(0.08, -0.10), (0.46, -0.58)], 0.05, paint.main)
    else:
        pen.blob([(-0.20, -0.12), (0.22, -0.12), (0.70, 0.20), (0.22, 0.36)], paint.dark)
        if variant == 2:
            pen.line([(0.0, 0.02), (0.44, 0.12)], 0.06, paint.accent)
            pen.line([(0.06, 0.18), (0.40, 0.23)], 0.06, paint.accent)
    pen.disc(-0.47, -0.40, 0.12, WHITE)
    pen.disc(-0.49, -0.40, 0.07, INK)


def draw_cat(pen: Pen, paint: Paint, variant: int) -> None:
    """The face of a cat with whiskers; plain, striped or with a white muzzle."""
    blush: RGB = (240, 150, 158)
    for side in (-1, 1):
        pen.polygon([(side * 0.80, -0.16), (side * 0.68, -0.90), (side * 0.16, -0.54)], paint.main)
        pen.polygon([(side * 0.68, -0.36), (side * 0.61, -0.72), (side * 0.34, -0.54)], blush)
    pen.blob(
        [(0.0, -0.60), (0.56, -0.46), (0.86, 0.08), (0.66, 0.56), (0.0, 0.82), (-0.66, 0.56),
         (-0.86, 0.08), (-0.56, -0.46)],
        paint.main,
    )  # fmt: skip
    if variant == 1:
        for x, low in ((-0.22, -0.30), (0.0, -0.20), (0.22, -0.30)):
            pen.line([(x, -0.54), (x * 0.8, low)], 0.09, paint.deep)
        for side in (-1, 1):
            pen.line([(side * 0.80, 0.02), (side * 0.58, 0.06)], 0.08, paint.deep)
    else:
        pen.ellipse(0.0, 0.42, 0.38, 0.28, paint.pale)
    for side in (-1, 1):
        pen.ellipse(side * 0.36, -0.06, 0.17, 0.19, (214, 236, 128))
        pen.ellipse(side * 0.36, -0.06, 0.07, 0.17, INK)
        pen.disc(side * 0.36 + 0.05, -0.13, 0.045, WHITE)
        for drop in (0.26, 0.42):
            pen.line([(side * 0.34, 0.36), (side * 0.98, drop)], 0.03, WHITE)
    pen.polygon([(-0.11, 0.22), (0.11, 0.22), (0.0, 0.35)], blush)
    pen.line([(-0.18, 0.50), (-0.06, 0.52), (0.0, 0.36), (0.06, 0.52), (0.18, 0.50)], 0.045, INK)


def draw_butterfly(pen: Pen, paint: Paint, variant: int) -> None:
    """A butterfly seen from above with spotted, rimmed or two-coloured wings."""
    lower = paint.accent if variant == 1 else paint.dark
    for side in (-1, 1):
        upper_wing: list[Point] = [
            (0.04, -0.10), (0.34, -0.70), (0.80, -0.77), (0.92, -0.38), (0.62, 0.06),
        ]  # fmt: skip
        lower_wing: list[Point] = [
            (0.04, 0.0), (0.58, 0.02), (0.80, 0.40), (0.56, 0.84), (0.24, 0.56),
        ]  # fmt: skip
        pen.blob([(side * x, y) for x, y in lower_wing], lower)
        pen.blob([(side * x, y) for x, y in upper_wing], paint.deep if variant == 2 else paint.main)
        if variant == 2:
            inner = [(0.56 + 0.76 * (x - 0.56), -0.42 + 0.76 * (y + 0.42)) for x, y in upper_wing]
            pen.blob([(side * x, y) for x, y in inner], paint.main)
        pen.disc(side * 0.68, -0.50, 0.15, paint.pale)
        pen.disc(side * 0.68, -0.50, 0.07, paint.deep)
        pen.disc(side * 0.50, 0.40, 0.11, paint.pale)
        pen.line([(side * 0.03, -0.50), (side * 0.16, -0.80), (side * 0.30, -0.94)], 0.035, INK)
    pen.ellipse(0.0, 0.04, 0.09, 0.56, INK)
    pen.disc(0.0, -0.50, 0.11, INK)
