import os

import numpy as np
import torch
from torch import nn

here = os.path.dirname(os.path.abspath(__file__))


class Net(nn.Module):
    def __init__(s):
        super().__init__()
        s.fc = nn.Conv2d(3, 4, 1)
        s.anchors = torch.from_numpy(np.load(here + "/anchors.npy"))  # plain tensor attribute, as in many YOLO heads
        s.z = 1
        s.scales = [float(v) for v in np.load(here + "/anchors.npy")[:2]]  # list attribute

    def forward(s, x):
        return s.fc(x) * s.anchors.view(1, -1, 1, 1)
