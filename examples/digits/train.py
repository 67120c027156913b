"""Trains the digits network in seconds: `python examples/digits/train.py OUT_DIR`.

Writes weights.pt, eval.npz and calibration.npz.
"""

import sys
import time
from pathlib import Path

import numpy as np
import torch
from net import WEIGHTS, DigitsNet
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

SEED = 0
EPOCHS = 4
BATCH = 64
CALIBRATION_ROWS = 128


def main(folder: Path) -> None:
    torch.manual_seed(SEED)
    torch.set_num_threads(1)  # the same weights on every machine, and steady beside other work
    torch.use_deterministic_algorithms(True)
    started = time.perf_counter()
    digits = load_digits()
    images = (digits.images[:, None] / 16).astype(np.float32)
    labels = digits.target.astype(np.int64)
    train_x, eval_x, train_y, eval_y = train_test_split(
        images, labels, test_size=540, random_state=SEED, stratify=labels
    )
    # A split of its own: ranges learnt from the evaluation set would flatter INT8's accuracy.
    train_x, calibration_x, train_y, _ = train_test_split(
        train_x, train_y, test_size=CALIBRATION_ROWS, random_state=SEED, stratify=train_y
    )
    net = DigitsNet()
    fit(net, torch.from_numpy(train_x), torch.from_numpy(train_y))
    net.eval()
    with torch.inference_mode():
        accuracy = (net(torch.from_numpy(eval_x)).argmax(1).numpy() == eval_y).mean()
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(net.state_dict(), folder / WEIGHTS)
    np.savez(folder / "eval.npz", image=eval_x, labels=eval_y)
    np.savez(folder / "calibration.npz", image=calibration_x)
    print(f"accuracy {accuracy:.4f} on {len(eval_y)} held out, {time.perf_counter() - started:.1f} s, in {folder}")


def fit(net: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> None:
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for _ in range(EPOCHS):
        order = torch.randperm(len(images))
        for rows in order.split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(images[rows]), labels[rows]).backward()
            optimizer.step()
        schedule.step()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "trained")
