"""Caffe's AlexNet in plain NumPy loops, on weights as a converted file holds them."""

from __future__ import annotations

import numpy as np

GROUPS = {"conv1": 1, "conv2": 2, "conv3": 1, "conv4": 2, "conv5": 2}
STRIDE = {"conv1": 4}
PADDING = {"conv1": 0, "conv2": 2, "conv3": 1, "conv4": 1, "conv5": 1}


def convolve(maps, kernel, bias, stride, padding, groups):
    """(H, W, I) maps with an (h, w, I / groups, O) kernel, place by place."""
    height, width, _ = maps.shape
    size, _, inputs, outputs = kernel.shape
    padded = np.zeros((height + 2 * padding, width + 2 * padding, maps.shape[2]))
    padded[padding : padding + height, padding : padding + width] = maps
    tall = (padded.shape[0] - size) // stride + 1
    wide = (padded.shape[1] - size) // stride + 1
    result = np.empty((tall, wide, outputs))
    share = outputs // groups
    for y in range(tall):
        for x in range(wide):
            patch = padded[y * stride : y * stride + size, x * stride : x * stride + size]
            for output in range(outputs):
                first = (output // share) * inputs
                seen = patch[:, :, first : first + inputs]
                result[y, x, output] = (seen * kernel[..., output]).sum() + bias[output]
    return result


def pool(maps):
    """Maximum over 3 x 3 windows two apart; a last window may reach over the edge."""
    height, width, channels = maps.shape
    tall, wide = (-(-(side - 3) // 2) + 1 for side in (height, width))
    result = np.empty((tall, wide, channels))
    for y in range(tall):
        for x in range(wide):
            result[y, x] = maps[2 * y : 2 * y + 3, 2 * x : 2 * x + 3].max(axis=(0, 1))
    return result


def normalize(maps, radius=2, alpha=2e-5, beta=0.75, bias=1.0):
    """Local response normalization over the channels within `radius`, one by one."""
    result = np.empty(maps.shape)
    channels = maps.shape[2]
    for channel in range(channels):
        total = np.zeros(maps.shape[:2])
        for near in range(max(0, channel - radius), min(channels, channel + radius + 1)):
            total += maps[:, :, near] ** 2
        result[:, :, channel] = maps[:, :, channel] / (bias + alpha * total) ** beta
    return result


def features(layers, image, norm_first=False):
    """fc7 of one (H, W, 3) image, blue first and without its means."""

    def convolved(name, maps):
        kernel, bias = layers[name]
        stride, padding = STRIDE.get(name, 1), PADDING[name]
        return np.maximum(convolve(maps, kernel, bias, stride, padding, GROUPS[name]), 0)

    maps = image
    for name in ("conv1", "conv2"):
        maps = convolved(name, maps)
        maps = pool(normalize(maps)) if norm_first else normalize(pool(maps))
    for name in ("conv3", "conv4", "conv5"):
        maps = convolved(name, maps)
    hidden = pool(maps).reshape(-1)
    for name in ("fc6", "fc7"):
        matrix, bias = layers[name]
        hidden = np.maximum(hidden @ matrix + bias, 0)
    return hidden


def random_layers(seed=0, width=1 / 16):
    """Weights of a narrow AlexNet, as a converted file holds them, that keep maps in range."""
    generator = np.random.default_rng(seed)
    c1, c2, c3, c4, c5, hidden = (round(count * width) for count in (96, 256, 384, 384, 256, 4096))
    shapes = {
        "conv1": (11, 11, 3, c1),
        "conv2": (5, 5, c1 // 2, c2),
        "conv3": (3, 3, c2, c3),
        "conv4": (3, 3, c3 // 2, c4),
        "conv5": (3, 3, c4 // 2, c5),
        "fc6": (36 * c5, hidden),
        "fc7": (hidden, hidden),
    }
    layers = {}
    for name, shape in shapes.items():
        scale = np.sqrt(2 / np.prod(shape[:-1]))
        weights = scale * generator.standard_normal(shape)
        biases = 0.1 * generator.standard_normal(shape[-1])
        layers[name] = [weights.astype(np.float32), biases.astype(np.float32)]
    return layers
