"""The papers' networks as a person writes them in PyTorch, to measure against."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


class AlexNet(nn.Sequential):
    """AlexNet as its paper prints it, with torch's own LRN."""

    def __init__(self) -> None:
        def conv(*sizes: int, **fields: int) -> list[nn.Module]:
            return [nn.Conv2d(*sizes, **fields), nn.ReLU(inplace=True)]

        def norm_pool() -> list[nn.Module]:
            return [nn.LocalResponseNorm(5, 5e-4, 0.75, 2.0), nn.MaxPool2d(3, 2)]

        super().__init__(
            nn.ZeroPad2d((0, 3, 0, 3)),
            *conv(3, 96, 11, stride=4),
            *norm_pool(),
            *conv(96, 256, 5, padding=2, groups=2),
            *norm_pool(),
            *conv(256, 384, 3, padding=1),
            *conv(384, 384, 3, padding=1, groups=2),
            *conv(384, 256, 3, padding=1, groups=2),
            nn.MaxPool2d(3, 2),
            nn.Flatten(),
            nn.Linear(9216, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(),
            nn.Linear(4096, 1000),
        )


class ConvRelu(nn.Module):
    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.conv(x), inplace=True)


class Inception(nn.Module):
    def __init__(self, inputs: int, n1: int, r3: int, n3: int, r5: int, n5: int, pool: int) -> None:
        super().__init__()
        self.branch1 = ConvRelu(inputs, n1, 1)
        self.branch2 = nn.Sequential(ConvRelu(inputs, r3, 1), ConvRelu(r3, n3, 3))
        self.branch3 = nn.Sequential(ConvRelu(inputs, r5, 1), ConvRelu(r5, n5, 5))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1), ConvRelu(inputs, pool, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


class Head(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.conv, self.fc1, self.fc2 = ConvRelu(inputs, 128, 1), nn.Linear(2048, 1024), nn.Linear(1024, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.flatten(self.conv(F.avg_pool2d(x, 5, 3)), 1)
        return self.fc2(F.dropout(F.relu(self.fc1(x), inplace=True), 0.7, self.training))


class GoogLeNet(nn.Module):
    """GoogLeNet's Table 1, with torch's own LRN and both auxiliary heads."""

    def __init__(self) -> None:
        super().__init__()
        norm = nn.LocalResponseNorm(5, 1e-4, 0.75, 1.0)

        def pool() -> nn.Module:
            return nn.MaxPool2d(3, 2, ceil_mode=True)

        self.start = nn.Sequential(
            ConvRelu(3, 64, 7, 2), pool(), norm, ConvRelu(64, 64, 1), ConvRelu(64, 192, 3), norm, pool(),
            Inception(192, 64, 96, 128, 16, 32, 32), Inception(256, 128, 128, 192, 32, 96, 64), pool(),
            Inception(480, 192, 96, 208, 16, 48, 64),
        )  # fmt: skip
        self.middle = nn.Sequential(
            Inception(512, 160, 112, 224, 24, 64, 64), Inception(512, 128, 128, 256, 24, 64, 64),
            Inception(512, 112, 144, 288, 32, 64, 64),
        )  # fmt: skip
        self.end = nn.Sequential(
            Inception(528, 256, 160, 320, 32, 128, 128), pool(), Inception(832, 256, 160, 320, 32, 128, 128),
            Inception(832, 384, 192, 384, 48, 128, 128), nn.AvgPool2d(7), nn.Flatten(), nn.Dropout(0.4),
            nn.Linear(1024, 1000),
        )  # fmt: skip
        self.aux1, self.aux2 = Head(512), Head(528)

    def forward(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        first = self.start(x)
        second = self.middle(first)
        logits = self.end(second)
        return (logits, self.aux1(first), self.aux2(second)) if self.training else logits


class Bottleneck(nn.Module):
    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, stride, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut: nn.Module | None = None
        if stride != 1 or inputs != 4 * width:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        y += x if self.shortcut is None else self.shortcut(x)
        return self.relu(y)


class ResNet50(nn.Sequential):
    """ResNet-50 of the paper: the first 1x1 of a bottleneck strides."""

    def __init__(self) -> None:
        blocks: list[nn.Module] = []
        inputs = 64
        for width, count, stride in (64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2):
            for index in range(count):
                blocks.append(Bottleneck(inputs, width, stride if index == 0 else 1))
                inputs = 4 * width
        stem = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)]
        super().__init__(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 1000))
