"""How the man-made kinds are drawn: each fits a circle of radius one."""

from __future__ import annotations

from wsdhq.synthetic.colours import RGB, mix
from wsdhq.synthetic.pen import Paint, Pen, Point, arc

INK: RGB = (34, 28, 38)
WHITE: RGB = (252, 251, 247)
TIMBER: RGB = (128, 84, 50)
GLASS: RGB = (176, 218, 236)
LAMP: RGB = (255, 226, 130)


def _box(left: float, top: float, right: float, bottom: float) -> list[Point]:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def draw_house(pen: Pen, paint: Paint, variant: int) -> None:
    """A house with a pitched roof, a door and lit windows."""
    if variant != 1:
        pen.polygon(_box(0.34, -0.86, 0.56, -0.30), mix(paint.accent, INK, 0.35))
    pen.polygon(_box(-0.66, -0.16, 0.66, 0.86), paint.main)
    pen.polygon(_box(0.30, -0.16, 0.66, 0.86), paint.dark)
    pen.polygon([(-0.92, -0.08), (0.0, -0.94), (0.92, -0.08)], paint.accent)
    pen.polygon([(-0.92, -0.08), (0.92, -0.08), (0.84, -0.18), (-0.84, -0.18)],
                mix(paint.accent, INK, 0.3))  # fmt: skip
    pen.polygon(_box(-0.15, 0.28, 0.17, 0.86), TIMBER)
    pen.disc(0.10, 0.58, 0.035, LAMP)
    for left in (-0.54, 0.30):
        pen.polygon(_box(left, 0.12, left + 0.26, 0.42), LAMP)
        pen.line([(left + 0.13, 0.12), (left + 0.13, 0.42)], 0.035, INK)
        pen.line([(left, 0.27), (left + 0.26, 0.27)], 0.035, INK)
    if variant == 2:
        pen.disc(0.0, -0.44, 0.15, LAMP)


def draw_boat(pen: Pen, paint: Paint, variant: int) -> None:
    """A sailing boat with one or two sails and a striped hull."""
    sail = WHITE if variant != 1 else paint.light
    pen.line([(0.0, -0.96), (0.0, 0.42)], 0.07, TIMBER)
    pen.polygon([(0.07, -0.90), (0.07, 0.26), (0.80, 0.26)], sail)
    pen.polygon([(0.07, -0.10), (0.07, 0.26), (0.80, 0.26), (0.575, -0.10)], paint.accent)
    pen.polygon([(-0.07, -0.70), (-0.07, 0.26), (-0.62, 0.26)], mix(sail, INK, 0.14))
    if variant != 2:
        pen.polygon([(0.0, -0.98), (-0.26, -0.88), (0.0, -0.78)], paint.accent)
    hull = [(-0.96, 0.38), (0.98, 0.38), (0.72, 0.84), (0.50, 0.92), (-0.50, 0.92), (-0.74, 0.82)]
    pen.polygon(hull, paint.main)
    pen.polygon([(-0.96, 0.38), (0.98, 0.38), (0.92, 0.50), (-0.90, 0.50)], paint.pale)
    pen.polygon([(-0.74, 0.82), (0.72, 0.84), (0.50, 0.92), (-0.50, 0.92)], paint.deep)


def draw_car(pen: Pen, paint: Paint, variant: int) -> None:
    """A car from the side, heading left: saloon, beetle or van."""
    if variant == 2:
        pen.blob([(-0.78, 0.10), (-0.62, -0.50), (-0.30, -0.60), (0.82, -0.58), (0.92, 0.1)],
                 paint.main)  # fmt: skip
        panes = [[(-0.60, 0.0), (-0.50, -0.40), (-0.18, -0.42), (-0.18, 0.0)],
                 _box(-0.06, -0.42, 0.32, 0.0), _box(0.44, -0.42, 0.78, 0.0)]  # fmt: skip
    elif variant == 1:
        pen.polygon(arc(0.0, 0.24, 0.74, 0.84, 180, 360), paint.main)
        panes = [[(-0.52, 0.02), (-0.34, -0.36), (-0.06, -0.44), (-0.06, 0.02)],
                 [(0.06, 0.02), (0.06, -0.44), (0.34, -0.36), (0.52, 0.02)]]  # fmt: skip
    else:
        pen.polygon([(-0.58, 0.04), (-0.30, -0.48), (0.38, -0.48), (0.68, 0.04)], paint.main)
        panes = [[(-0.44, 0.02), (-0.23, -0.36), (0.0, -0.36), (0.0, 0.02)],
                 [(0.10, 0.02), (0.10, -0.36), (0.32, -0.36), (0.52, 0.02)]]  # fmt: skip
    for pane in panes:
        pen.polygon(pane, GLASS)
    body: list[Point] = [
        (-0.96, 0.16), (-0.60, 0.02), (0.70, 0.02), (0.96, 0.14), (0.98, 0.44), (-0.98, 0.44),
    ]  # fmt: skip
    pen.polygon(body, paint.main)
    pen.polygon([(-0.98, 0.32), (0.98, 0.32), (0.98, 0.48), (-0.98, 0.48)], paint.dark)
    pen.ellipse(-0.88, 0.23, 0.09, 0.08, LAMP)
    pen.ellipse(0.92, 0.23, 0.06, 0.08, (222, 60, 52))
    pen.line([(0.05, 0.10), (0.05, 0.32)], 0.03, paint.dark)
    for x in (-0.52, 0.54):
        pen.disc(x, 0.46, 0.27, INK)
        pen.disc(x, 0.46, 0.13, (206, 208, 214))


def draw_cup(pen: Pen, paint: Paint, variant: int) -> None:
    """A mug with a handle, a saucer and steam."""
    pen.line(arc(0.56, 0.20, 0.36, 0.32, -80, 80, 16), 0.15, paint.dark)
    pen.ellipse(-0.09, 0.80, 0.70, 0.14, mix(paint.main, WHITE, 0.6))
    pen.polygon(
        [(-0.72, -0.22), (0.56, -0.22), (0.48, 0.56), (0.28, 0.82), (-0.44, 0.82), (-0.64, 0.56)],
        paint.main,
    )
    pen.polygon([(0.26, -0.22), (0.56, -0.22), (0.48, 0.56), (0.28, 0.82), (0.16, 0.82)],
                paint.dark)  # fmt: skip
    if variant == 1:
        pen.polygon([(-0.69, 0.06), (0.53, 0.06), (0.50, 0.34), (-0.66, 0.34)], paint.accent)
    elif variant == 2:
        for x, y in ((-0.44, 0.12), (-0.10, 0.34), (0.22, 0.10), (-0.34, 0.56)):
            pen.disc(x, y, 0.10, paint.accent)
    pen.ellipse(-0.08, -0.22, 0.64, 0.16, paint.light)
    pen.ellipse(-0.08, -0.21, 0.53, 0.11, (92, 56, 34))
    for x in (-0.34, 0.12):
        pen.line([(x, -0.46), (x + 0.10, -0.60), (x - 0.02, -0.76), (x + 0.08, -0.94)], 0.07, WHITE)


def draw_umbrella(pen: Pen, paint: Paint, variant: int) -> None:
    """An open umbrella with panels and a hooked handle."""
    pen.line([(0.0, -0.92), (0.0, 0.66), *arc(0.15, 0.72, 0.15, 0.20, 180, 0, 10)], 0.085, TIMBER)
    pen.polygon(arc(0.0, 0.08, 0.98, 0.92, 180, 360, 30), paint.main)
    second = paint.light if variant == 0 else paint.accent
    pen.polygon([*arc(0.0, 0.08, 0.58, 0.92, 180, 360, 24)], second)
    pen.polygon([*arc(0.0, 0.08, 0.20, 0.92, 180, 360, 16)], paint.main)
    scallops = ((-0.78, 0.20, paint.dark), (-0.39, 0.19, mix(second, INK, 0.3)),
                (0.0, 0.20, paint.dark), (0.39, 0.19, mix(second, INK, 0.3)),
                (0.78, 0.20, paint.dark))  # fmt: skip
    for x, half, colour in scallops:
        pen.polygon(arc(x, 0.08, half, 0.13, 180, 360, 10), colour)


def draw_balloon(pen: Pen, paint: Paint, variant: int) -> None:
    """A hot-air balloon: striped envelope, ropes and basket."""
    for x, low in ((-0.30, -0.14), (0.30, 0.14)):
        pen.line([(x, 0.36), (low, 0.72)], 0.04, INK)
    envelope: list[Point] = [
        (0.0, -0.98), (0.50, -0.82), (0.74, -0.38), (0.58, 0.08), (0.26, 0.44), (0.0, 0.47),
        (-0.26, 0.44), (-0.58, 0.08), (-0.74, -0.38), (-0.50, -0.82),
    ]  # fmt: skip
    pen.blob(envelope, paint.main)
    second = paint.accent if variant != 1 else paint.pale
    pen.blob([(0.58 * x, y) for x, y in envelope], second)
    pen.blob([(0.22 * x, y) for x, y in envelope], paint.main)
    if variant == 2:
        pen.polygon([(-0.72, -0.34), (0.72, -0.34), (0.64, -0.06), (-0.64, -0.06)], paint.dark)
    pen.polygon([(-0.27, 0.40), (0.27, 0.40), (0.20, 0.50), (-0.20, 0.50)], paint.deep)
    pen.polygon([(-0.20, 0.68), (0.20, 0.68), (0.16, 0.98), (-0.16, 0.98)], TIMBER)
    pen.polygon([(-0.22, 0.66), (0.22, 0.66), (0.21, 0.75), (-0.21, 0.75)], mix(TIMBER, INK, 0.4))


def draw_key(pen: Pen, paint: Paint, variant: int) -> None:
    """A key, its bow a ring, a trefoil or a square."""
    pen.line([(0.0, -0.20), (0.0, 0.92)], 0.17, paint.main)
    pen.polygon(_box(0.0, 0.46, 0.38, 0.61), paint.main)
    pen.polygon(_box(0.0, 0.74, 0.46, 0.90), paint.main)
    if variant == 1:
        for x, y in ((-0.30, -0.38), (0.30, -0.38), (0.0, -0.68)):
            pen.line(arc(x, y, 0.20, 0.20, 0, 360, 20), 0.14, paint.main)
    elif variant == 2:
        ring = [(-0.38, -0.52), (0.0, -0.90), (0.38, -0.52), (0.0, -0.14), (-0.38, -0.52)]
        pen.line(ring, 0.20, paint.main)
    else:
        pen.line(arc(0.0, -0.52, 0.36, 0.36, 0, 360, 28), 0.20, paint.main)
        pen.line(arc(0.0, -0.52, 0.39, 0.39, 190, 290, 12), 0.06, paint.pale)
    pen.line([(-0.035, -0.10), (-0.035, 0.86)], 0.05, paint.pale)
    pen.line([(-0.16, -0.06), (0.16, -0.06)], 0.11, paint.dark)


def draw_rocket(pen: Pen, paint: Paint, variant: int) -> None:
    """A rocket pointing up, with fins, a port-hole and a flame."""
    pen.blob([(-0.20, 0.56), (0.20, 0.56), (0.16, 0.80), (0.0, 1.0), (-0.16, 0.80)], (250, 150, 40))
    pen.blob([(-0.10, 0.56), (0.10, 0.56), (0.0, 0.82)], LAMP)
    for side in (-1, 1):
        pen.polygon(
            [(side * 0.26, 0.10), (side * 0.62, 0.48), (side * 0.60, 0.78), (side * 0.22, 0.56)],
            paint.accent,
        )
    hull: list[Point] = [
        (0.0, -0.99), (0.24, -0.66), (0.36, -0.16), (0.32, 0.30), (0.22, 0.60), (-0.22, 0.60),
        (-0.32, 0.30), (-0.36, -0.16), (-0.24, -0.66),
    ]  # fmt: skip
    pen.blob(hull, paint.main)
    pen.blob([(0.04, -0.86), (0.22, -0.62), (0.33, -0.16), (0.29, 0.30), (0.2, 0.56), (0.12, 0.0)],
             paint.dark)  # fmt: skip
    pen.polygon([(0.0, -1.0), (0.25, -0.60), (-0.25, -0.60)], paint.accent)
    pen.disc(0.0, -0.22, 0.20, WHITE)
    pen.disc(0.0, -0.22, 0.14, (96, 168, 214))
    if variant == 1:
        pen.polygon(_box(-0.31, 0.14, 0.31, 0.28), paint.accent)
    elif variant == 2:
        pen.disc(0.0, 0.22, 0.14, WHITE)
        pen.disc(0.0, 0.22, 0.09, (96, 168, 214))


def draw_crown(pen: Pen, paint: Paint, variant: int) -> None:
    """A crown with three or five points, pearls and jewels."""
    if variant == 1:
        tips: list[Point] = [(-0.88, -0.42), (-0.46, -0.62), (0.0, -0.74), (0.46, -0.62),
                             (0.88, -0.42)]  # fmt: skip
    else:
        tips = [(-0.90, -0.50), (0.0, -0.78), (0.90, -0.50)]
    outline: list[Point] = [(-0.72, 0.66)]
    for i, tip in enumerate(tips):
        outline.append(tip)
        if i + 1 < len(tips):
            outline.append(((tip[0] + tips[i + 1][0]) / 2, 0.02))
    pen.polygon([*outline, (0.72, 0.66)], paint.main)
    pen.polygon([(-0.72, 0.66), (0.72, 0.66), (0.77, 0.32), (-0.77, 0.32)], paint.dark)
    pen.polygon([(-0.70, 0.72), (0.70, 0.72), (0.73, 0.60), (-0.73, 0.60)], paint.light)
    for x, y in tips:
        pen.disc(x, y, 0.11, paint.pale if variant == 2 else paint.accent)
    for x in (-0.44, 0.0, 0.44):
        pen.ellipse(x, 0.46, 0.11, 0.09, paint.accent)
