"""The figures that the paper reports, to stand beside those measured here.

J. Wang, B. Chen, Q. Zhang, Z. Meng, S. Liang, S.-T. Xia, "Weakly Supervised Deep
Hyperspherical Quantization for Image Retrieval", AAAI 2021, arXiv:2404.04998: tables 1 and 2,
MAP@5000. `RELEASED_CODE` is what the logs beside the authors' released code end with.
"""

from __future__ import annotations

SOURCE = "Wang et al., AAAI 2021, arXiv:2404.04998"

#: Widths of the codes, the columns of both tables.
BITS = (8, 16, 24, 32)

#: Names of the data sets; a folder of one's own is not in the paper.
TITLES = {"mirflickr25k": "MIR-FLICKR25K", "nuswide": "NUS-WIDE", "folder": "own folder"}
DATASETS = tuple(TITLES)

_Rows = dict[str, tuple[float, float, float, float]]

_WSDHQ: dict[str, tuple[float, float, float, float]] = {
    "mirflickr25k": (0.744, 0.751, 0.765, 0.772),
    "nuswide": (0.716, 0.722, 0.738, 0.731),
}

TABLE_1: dict[str, _Rows] = {
    "mirflickr25k": {
        "LSH": (0.524, 0.570, 0.562, 0.572),
        "SH": (0.592, 0.609, 0.617, 0.604),
        "SpH": (0.556, 0.582, 0.579, 0.586),
        "ITQ": (0.641, 0.623, 0.654, 0.633),
        "AQ": (0.637, 0.645, 0.658, 0.661),
        "DeepBit": (0.628, 0.632, 0.623, 0.608),
        "WMH": (0.656, 0.684, 0.672, 0.671),
        "WDH": (0.669, 0.678, 0.694, 0.685),
        "WDHT": (0.704, 0.733, 0.737, 0.724),
        "WSDHQ": _WSDHQ["mirflickr25k"],
    },
    "nuswide": {
        "LSH": (0.376, 0.392, 0.413, 0.418),
        "SH": (0.498, 0.505, 0.477, 0.492),
        "SpH": (0.463, 0.448, 0.464, 0.461),
        "ITQ": (0.536, 0.545, 0.556, 0.563),
        "AQ": (0.524, 0.567, 0.587, 0.592),
        "DeepBit": (0.542, 0.555, 0.558, 0.552),
        "WMH": (0.558, 0.592, 0.605, 0.601),
        "WDH": (0.577, 0.602, 0.618, 0.627),
        "WDHT": (0.652, 0.670, 0.682, 0.692),
        "WSDHQ": _WSDHQ["nuswide"],
    },
}

TABLE_2: dict[str, _Rows] = {
    "mirflickr25k": {
        "WSDHQ_G": (0.728, 0.736, 0.749, 0.751),
        "WSDHQ_N": (0.724, 0.727, 0.740, 0.755),
        "WSDHQ_L": (0.711, 0.740, 0.744, 0.753),
        "WSDHQ_2": (0.725, 0.736, 0.731, 0.747),
        "WSDHQ": _WSDHQ["mirflickr25k"],
    },
    "nuswide": {
        "WSDHQ_G": (0.708, 0.711, 0.725, 0.717),
        "WSDHQ_N": (0.703, 0.716, 0.723, 0.726),
        "WSDHQ_L": (0.698, 0.701, 0.713, 0.701),
        "WSDHQ_2": (0.706, 0.707, 0.702, 0.694),
        "WSDHQ": _WSDHQ["nuswide"],
    },
}

#: MAP@5000 of WSDHQ in the reference logs of the authors' released code.
RELEASED_CODE: _Rows = {
    "mirflickr25k": (0.766, 0.755, 0.765, 0.767),
    "nuswide": (0.715, 0.728, 0.730, 0.730),
}


def paper_map(dataset: str, method: str, bits: int) -> float | None:
    """The MAP@5000 of a method in table 1 or 2 of the paper.

    Parameters
    ----------
    dataset : str
        One of `DATASETS`.
    method : str
        Name of a row.
    bits : int
        Length of a code.

    Returns
    -------
    float or None
        In [0, 1]; None for what the paper does not report.
    """
    if bits not in BITS:
        return None
    for table in (TABLE_1, TABLE_2):
        figures = table.get(dataset, {}).get(method)
        if figures is not None:
            return figures[BITS.index(bits)]
    return None
