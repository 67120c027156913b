"""A small convolutional network for scikit-learn's handwritten digits, 8 x 8 pixels."""

import os
from pathlib import Path

import torch
from torch import Tensor, nn

WEIGHTS = "weights.pt"


class DigitsNet(nn.Module):
    """Pixels [N, 1, 8, 8] in 0..1 to scores [N, 10]."""

    def __init__(self, width: int = 160) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.Conv2d(2 * width, 2 * width, 3, padding=1),
            nn.ReLU(),
        )
        self.classifier = nn.Sequential(nn.Flatten(), nn.Dropout(0.3), nn.Linear(2 * width * 16, 10))

    def forward(self, image: Tensor) -> Tensor:
        scores: Tensor = self.classifier(self.features(image))
        return scores


def load(folder: str = "") -> nn.Module:
    """The trained network; `folder` holds what train.py wrote, beside this file unless DIGITS_DIR says otherwise."""
    place = Path(folder or os.environ.get("DIGITS_DIR", "") or Path(__file__).parent / "trained")
    if not (place / WEIGHTS).is_file():
        raise FileNotFoundError(f"no {WEIGHTS} in {place}: run `python examples/digits/train.py {place}` first")
    net = DigitsNet()
    net.load_state_dict(torch.load(place / WEIGHTS, weights_only=True))
    return net
