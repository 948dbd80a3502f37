"""Vectors shifted and scaled before a quantizer is trained on them."""

from __future__ import annotations

import numpy as np


class Scaler:
    """Shift by the mean and division by one number, so that the average component has variance one.

    One number for all components keeps angles and relative distances as they are.
    """

    def __init__(self, mean: np.ndarray, scale: float) -> None:
        self.mean, self.scale = mean, scale

    @classmethod
    def of(cls, x: np.ndarray) -> Scaler:
        """Measure rows ``(n, dim)``; constant rows get scale 1."""
        mean = x.mean(axis=0, dtype=np.float64).astype(np.float32)
        scale = float(np.sqrt(np.mean((x - mean) ** 2, dtype=np.float64)))
        return cls(mean, scale if scale > 1e-12 else 1.0)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Vectors to scaled vectors, both ``(n, dim)`` float32."""
        return ((x - self.mean) / np.float32(self.scale)).astype(np.float32)

    def backward(self, z: np.ndarray) -> np.ndarray:
        """The inverse of :meth:`forward`."""
        return (z * np.float32(self.scale) + self.mean).astype(np.float32)
