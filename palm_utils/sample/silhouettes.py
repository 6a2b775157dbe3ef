"""The ten things of CIFAR-10 as silhouettes: closed outlines in a unit square, x right, y down.

Each thing has one or two views. A view is a list of parts, drawn in order; a part is a tone and an
outline. Tones: 'body' and 'shade' are the picture's own colour and a darker kind of it, 'dark' and
'light' nearly black and nearly white.
"""

import numpy as np

Part = tuple[str, np.ndarray]


def _outline(tone: str, *points: float) -> Part:
    return tone, np.array(points, np.float32).reshape(-1, 2)


def _ellipse(tone: str, x: float, y: float, rx: float, ry: float, angle: float = 0) -> Part:
    t = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    u, v = rx * np.cos(t), ry * np.sin(t)
    return tone, np.stack([x + c * u - s * v, y + s * u + c * v], 1).astype(np.float32)


def _legs(top: float, bottom: float, width: float, *places: float) -> list[Part]:
    """Return four-legged animals' legs; every other one is on the far side, hence darker."""
    return [
        _outline(
            "shade" if i % 2 else "body",
            *(x - width, top, x + width, top, x + 0.7 * width, bottom, x - 0.7 * width, bottom),
        )
        for i, x in enumerate(places)
    ]


# In the order of CIFAR-10's labels 0 to 9.
SILHOUETTES: dict[str, list[list[Part]]] = {
    "airplane": [
        [  # from the side
            _outline("shade", 0.44, 0.48, 0.56, 0.48, 0.42, 0.22, 0.35, 0.22),
            _outline("body", 0.05, 0.47, 0.12, 0.42, 0.75, 0.43, 0.97, 0.40, 0.97, 0.47, 0.80, 0.57, 0.14, 0.57),
            _outline("body", 0.80, 0.45, 0.97, 0.42, 0.99, 0.22, 0.91, 0.22),
            _outline("shade", 0.40, 0.52, 0.58, 0.52, 0.74, 0.76, 0.64, 0.76),
            _outline("dark", 0.09, 0.46, 0.13, 0.43, 0.17, 0.43, 0.17, 0.47),
        ],
        [  # from below
            _outline("body", 0.47, 0.10, 0.50, 0.04, 0.53, 0.10, 0.55, 0.90, 0.50, 0.95, 0.45, 0.90),
            _outline("body", 0.46, 0.36, 0.54, 0.36, 0.97, 0.60, 0.97, 0.67, 0.54, 0.57, 0.46, 0.57, 0.03, 0.67),
            _outline("shade", 0.46, 0.80, 0.54, 0.80, 0.71, 0.92, 0.71, 0.96, 0.29, 0.96, 0.29, 0.92),
            _ellipse("shade", 0.28, 0.54, 0.03, 0.06),
            _ellipse("shade", 0.72, 0.54, 0.03, 0.06),
        ],
    ],
    "automobile": [
        [  # from the side
            _outline("body", 0.24, 0.48, 0.34, 0.30, 0.66, 0.30, 0.80, 0.48),
            _outline("dark", 0.30, 0.47, 0.37, 0.34, 0.49, 0.34, 0.49, 0.47),
            _outline("dark", 0.52, 0.47, 0.52, 0.34, 0.64, 0.34, 0.73, 0.47),
            _outline("body", 0.04, 0.52, 0.12, 0.46, 0.88, 0.47, 0.96, 0.54, 0.96, 0.67, 0.04, 0.67),
            _ellipse("dark", 0.24, 0.67, 0.095, 0.095),
            _ellipse("dark", 0.76, 0.67, 0.095, 0.095),
            _ellipse("light", 0.24, 0.67, 0.04, 0.04),
            _ellipse("light", 0.76, 0.67, 0.04, 0.04),
        ],
        [  # from the front
            _outline("body", 0.24, 0.42, 0.33, 0.22, 0.67, 0.22, 0.76, 0.42),
            _outline("dark", 0.29, 0.42, 0.36, 0.26, 0.64, 0.26, 0.71, 0.42),
            _outline("dark", 0.16, 0.68, 0.30, 0.68, 0.30, 0.82, 0.16, 0.82),
            _outline("dark", 0.70, 0.68, 0.84, 0.68, 0.84, 0.82, 0.70, 0.82),
            _outline("body", 0.13, 0.48, 0.20, 0.41, 0.80, 0.41, 0.87, 0.48, 0.87, 0.72, 0.13, 0.72),
            _outline("shade", 0.32, 0.54, 0.68, 0.54, 0.66, 0.64, 0.34, 0.64),
            _ellipse("light", 0.22, 0.55, 0.055, 0.045),
            _ellipse("light", 0.78, 0.55, 0.055, 0.045),
        ],
    ],
    "bird": [
        [  # perched
            _outline("dark", 0.46, 0.68, 0.49, 0.68, 0.49, 0.92, 0.45, 0.92),
            _outline("dark", 0.55, 0.68, 0.58, 0.68, 0.58, 0.92, 0.54, 0.92),
            _outline("shade", 0.66, 0.52, 0.98, 0.74, 0.92, 0.82, 0.58, 0.68),
            _ellipse("body", 0.52, 0.55, 0.25, 0.16, 28),
            _ellipse("body", 0.30, 0.31, 0.12, 0.12),
            _outline("dark", 0.20, 0.28, 0.06, 0.34, 0.20, 0.36),
            _outline("shade", 0.42, 0.46, 0.68, 0.54, 0.84, 0.72, 0.54, 0.62),
            _ellipse("dark", 0.27, 0.29, 0.025, 0.025),
        ],
        [  # in flight
            _outline("body", 0.46, 0.46, 0.30, 0.22, 0.02, 0.16, 0.14, 0.34, 0.42, 0.62),
            _outline("shade", 0.54, 0.46, 0.70, 0.22, 0.98, 0.16, 0.86, 0.34, 0.58, 0.62),
            _ellipse("body", 0.50, 0.56, 0.09, 0.20),
            _ellipse("body", 0.50, 0.33, 0.065, 0.075),
            _outline("body", 0.45, 0.70, 0.55, 0.70, 0.63, 0.92, 0.37, 0.92),
            _outline("dark", 0.48, 0.28, 0.52, 0.28, 0.50, 0.18),
        ],
    ],
    "cat": [
        [  # sitting
            _outline("shade", 0.68, 0.86, 0.88, 0.80, 0.90, 0.52, 0.96, 0.52, 0.96, 0.86, 0.80, 0.95, 0.66, 0.95),
            _ellipse("body", 0.50, 0.72, 0.23, 0.25),
            _outline("body", 0.27, 0.30, 0.27, 0.05, 0.46, 0.18),
            _outline("body", 0.73, 0.30, 0.73, 0.05, 0.54, 0.18),
            _ellipse("body", 0.50, 0.33, 0.25, 0.20),
            _ellipse("light", 0.50, 0.42, 0.09, 0.06),
            _ellipse("dark", 0.40, 0.31, 0.035, 0.045),
            _ellipse("dark", 0.60, 0.31, 0.035, 0.045),
            _outline("dark", 0.47, 0.38, 0.53, 0.38, 0.50, 0.42),
            _ellipse("shade", 0.41, 0.91, 0.07, 0.05),
            _ellipse("shade", 0.59, 0.91, 0.07, 0.05),
        ],
        [  # the face
            _outline("body", 0.12, 0.48, 0.10, 0.05, 0.42, 0.22),
            _outline("body", 0.88, 0.48, 0.90, 0.05, 0.58, 0.22),
            _outline("shade", 0.17, 0.34, 0.16, 0.14, 0.31, 0.22),
            _outline("shade", 0.83, 0.34, 0.84, 0.14, 0.69, 0.22),
            _ellipse("body", 0.50, 0.54, 0.40, 0.36),
            _ellipse("light", 0.50, 0.70, 0.18, 0.14),
            _ellipse("dark", 0.34, 0.48, 0.06, 0.075),
            _ellipse("dark", 0.66, 0.48, 0.06, 0.075),
            _outline("dark", 0.44, 0.61, 0.56, 0.61, 0.50, 0.68),
        ],
    ],
    "deer": [
        [
            *_legs(0.60, 0.96, 0.025, 0.40, 0.47, 0.76, 0.83),
            _ellipse("body", 0.60, 0.56, 0.27, 0.12),
            _outline("body", 0.36, 0.60, 0.24, 0.36, 0.33, 0.30, 0.48, 0.48),
            _ellipse("body", 0.22, 0.34, 0.13, 0.06, -18),
            _outline("shade", 0.30, 0.30, 0.42, 0.25, 0.34, 0.34),
            # antlers
            _outline("dark", 0.27, 0.29, 0.25, 0.16, 0.12, 0.05, 0.14, 0.04, 0.27, 0.12, 0.29, 0.02, 0.31, 0.03),
            _outline("dark", 0.29, 0.30, 0.38, 0.18, 0.37, 0.05, 0.39, 0.05, 0.41, 0.13, 0.53, 0.05, 0.53, 0.08),
            _ellipse("light", 0.87, 0.52, 0.035, 0.06),
        ],
    ],
    "dog": [
        [  # standing
            *_legs(0.60, 0.92, 0.05, 0.34, 0.43, 0.70, 0.79),
            _outline("body", 0.80, 0.46, 0.95, 0.24, 0.99, 0.27, 0.87, 0.54),
            _outline("body", 0.28, 0.42, 0.84, 0.44, 0.86, 0.64, 0.60, 0.68, 0.30, 0.68),
            _ellipse("body", 0.25, 0.34, 0.16, 0.14),
            _outline("body", 0.20, 0.30, 0.03, 0.36, 0.03, 0.44, 0.22, 0.46),
            _outline("shade", 0.28, 0.22, 0.40, 0.26, 0.42, 0.50, 0.31, 0.46),
            _ellipse("dark", 0.04, 0.38, 0.03, 0.03),
            _ellipse("dark", 0.20, 0.31, 0.022, 0.025),
        ],
        [  # the face, ears hanging
            _ellipse("body", 0.50, 0.48, 0.28, 0.34),
            _ellipse("shade", 0.20, 0.48, 0.11, 0.28, 8),
            _ellipse("shade", 0.80, 0.48, 0.11, 0.28, -8),
            _ellipse("light", 0.50, 0.68, 0.17, 0.17),
            _ellipse("dark", 0.39, 0.42, 0.045, 0.05),
            _ellipse("dark", 0.61, 0.42, 0.045, 0.05),
            _ellipse("dark", 0.50, 0.60, 0.08, 0.055),
            _outline("dark", 0.49, 0.65, 0.51, 0.65, 0.51, 0.76, 0.49, 0.76),
        ],
    ],
    "frog": [
        [
            _ellipse("shade", 0.18, 0.74, 0.15, 0.10, -28),
            _ellipse("shade", 0.82, 0.74, 0.15, 0.10, 28),
            _outline("shade", 0.04, 0.86, 0.30, 0.82, 0.32, 0.90, 0.06, 0.92),
            _outline("shade", 0.96, 0.86, 0.70, 0.82, 0.68, 0.90, 0.94, 0.92),
            _ellipse("body", 0.50, 0.64, 0.31, 0.22),
            _ellipse("body", 0.50, 0.46, 0.27, 0.16),
            _ellipse("body", 0.31, 0.31, 0.10, 0.10),
            _ellipse("body", 0.69, 0.31, 0.10, 0.10),
            _ellipse("light", 0.31, 0.30, 0.065, 0.065),
            _ellipse("light", 0.69, 0.30, 0.065, 0.065),
            _ellipse("dark", 0.31, 0.30, 0.03, 0.045),
            _ellipse("dark", 0.69, 0.30, 0.03, 0.045),
            _outline("dark", 0.28, 0.50, 0.50, 0.545, 0.72, 0.50, 0.50, 0.57),
            _ellipse("light", 0.50, 0.74, 0.17, 0.09),
        ],
    ],
    "horse": [
        [
            *_legs(0.58, 0.96, 0.04, 0.34, 0.42, 0.74, 0.82),
            _outline("dark", 0.84, 0.44, 0.97, 0.52, 0.99, 0.80, 0.92, 0.78, 0.86, 0.58),
            _ellipse("body", 0.58, 0.52, 0.30, 0.15),
            _outline("body", 0.30, 0.58, 0.20, 0.24, 0.34, 0.14, 0.54, 0.42),
            _outline("body", 0.34, 0.12, 0.18, 0.18, 0.02, 0.38, 0.09, 0.45, 0.32, 0.32),
            _outline("body", 0.26, 0.16, 0.29, 0.03, 0.35, 0.15),
            _outline("dark", 0.33, 0.10, 0.42, 0.16, 0.60, 0.41, 0.50, 0.42, 0.38, 0.26),
            _ellipse("dark", 0.22, 0.22, 0.02, 0.02),
        ],
    ],
    "ship": [
        [
            _outline("dark", 0.45, 0.40, 0.45, 0.06, 0.47, 0.06, 0.47, 0.40),
            _outline("light", 0.28, 0.58, 0.28, 0.42, 0.72, 0.42, 0.72, 0.58),
            _outline("light", 0.36, 0.43, 0.36, 0.30, 0.58, 0.30, 0.58, 0.43),
            _outline("shade", 0.60, 0.43, 0.61, 0.20, 0.70, 0.20, 0.70, 0.43),
            _outline("dark", 0.32, 0.47, 0.68, 0.47, 0.68, 0.50, 0.32, 0.50),
            _outline("body", 0.02, 0.54, 0.98, 0.57, 0.86, 0.78, 0.15, 0.78),
            _outline("shade", 0.12, 0.72, 0.89, 0.72, 0.86, 0.79, 0.15, 0.79),
        ],
        [  # under sail
            _outline("light", 0.52, 0.05, 0.52, 0.66, 0.92, 0.66),
            _outline("shade", 0.48, 0.12, 0.48, 0.66, 0.14, 0.66),
            _outline("dark", 0.49, 0.04, 0.51, 0.04, 0.51, 0.72, 0.49, 0.72),
            _outline("body", 0.08, 0.70, 0.94, 0.70, 0.80, 0.86, 0.22, 0.86),
        ],
    ],
    "truck": [
        [
            _outline("body", 0.30, 0.20, 0.97, 0.20, 0.97, 0.66, 0.30, 0.66),
            _outline("shade", 0.30, 0.60, 0.97, 0.60, 0.97, 0.70, 0.30, 0.70),
            _outline("light", 0.04, 0.50, 0.11, 0.32, 0.28, 0.32, 0.28, 0.70, 0.03, 0.70),
            _outline("dark", 0.08, 0.48, 0.13, 0.36, 0.24, 0.36, 0.24, 0.48),
            _ellipse("dark", 0.16, 0.72, 0.085, 0.085),
            _ellipse("dark", 0.64, 0.72, 0.085, 0.085),
            _ellipse("dark", 0.84, 0.72, 0.085, 0.085),
            _ellipse("light", 0.16, 0.72, 0.03, 0.03),
            _ellipse("light", 0.64, 0.72, 0.03, 0.03),
            _ellipse("light", 0.84, 0.72, 0.03, 0.03),
        ],
    ],
}
