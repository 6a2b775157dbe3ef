"""The chapters' networks in PyTorch, layer by layer as in the notebooks; nothing but the comparison uses them."""

import torch
import torch.nn.functional as F
from torch import nn


class LeNet28(nn.Module):
    """Chapter 1's, for digits."""

    def __init__(self, num_classes: int = 10):
        super().__init__()
        self.conv1, self.conv2, self.conv3 = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5), nn.Conv2d(16, 120, 4)
        self.fc1, self.fc2 = nn.Linear(120, 64), nn.Linear(64, num_classes)

    def forward(self, x):  # [N, 1, 28, 28]
        x = torch.sigmoid(F.max_pool2d(torch.sigmoid(self.conv1(x)), 2))  # [N, 6, 12, 12]
        x = self.conv3(F.max_pool2d(self.conv2(x), 2)).flatten(1)  # [N, 120]
        return self.fc2(torch.sigmoid(self.fc1(x)))


class LeNet(nn.Module):
    """Chapter 2's, for photographs."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2, self.conv3 = nn.Conv2d(3, 6, 5), nn.Conv2d(6, 16, 5), nn.Conv2d(16, 120, 4)
        self.fc1, self.fc2 = nn.Linear(300000, 64), nn.Linear(64, 1)

    def forward(self, x):  # [N, 3, 224, 224]
        x = F.max_pool2d(torch.sigmoid(self.conv1(x)), 2)  # [N, 6, 110, 110]
        x = F.max_pool2d(torch.sigmoid(self.conv2(x)), 2)  # [N, 16, 53, 53]
        x = torch.sigmoid(self.conv3(x)).flatten(1)  # [N, 300000]
        return self.fc2(torch.sigmoid(self.fc1(x)))


def _head(features: int) -> nn.Sequential:
    """The three fully connected layers of AlexNet and VGG."""
    first = nn.Linear(features, 4096), nn.ReLU(), nn.Dropout(0.5)
    return nn.Sequential(nn.Flatten(), *first, nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(0.5), nn.Linear(4096, 1))


class AlexNet(nn.Sequential):
    def __init__(self):
        super().__init__(
            *(nn.Conv2d(3, 96, 11, stride=4, padding=5), nn.ReLU(), nn.MaxPool2d(2)),  # [N, 96, 28, 28]
            *(nn.Conv2d(96, 256, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),  # [N, 256, 14, 14]
            *(nn.Conv2d(256, 384, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(384, 384, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),  # [N, 256, 7, 7]
            _head(256 * 7 * 7),
        )


class VGG(nn.Sequential):
    """VGG-16."""

    def __init__(self):
        layers, channels = [], 3
        for convolutions, width in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)):
            for _ in range(convolutions):
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
                channels = width
            layers.append(nn.MaxPool2d(2))
        super().__init__(*layers, _head(512 * 7 * 7))


def _conv(c_in: int, c_out: int, size: int) -> nn.Conv2d:
    return nn.Conv2d(c_in, c_out, size, padding=(size - 1) // 2)


class Inception(nn.Module):
    def __init__(self, c0: int, c1: int, c2: tuple[int, int], c3: tuple[int, int], c4: int):
        super().__init__()
        self.p1_1 = _conv(c0, c1, 1)
        self.p2_1, self.p2_2 = _conv(c0, c2[0], 1), _conv(*c2, 3)
        self.p3_1, self.p3_2 = _conv(c0, c3[0], 1), _conv(*c3, 5)
        self.p4_2 = _conv(c0, c4, 1)

    def forward(self, x):  # [N, c0, H, W]
        p1 = F.relu(self.p1_1(x))
        p2 = F.relu(self.p2_2(F.relu(self.p2_1(x))))
        p3 = F.relu(self.p3_2(F.relu(self.p3_1(x))))
        p4 = F.relu(self.p4_2(F.max_pool2d(x, 3, stride=1, padding=1)))
        return torch.cat([p1, p2, p3, p4], dim=1)  # [N, c1 + c2[1] + c3[1] + c4, H, W]


class GoogLeNet(nn.Sequential):
    """With the tutorial's first stride, 1."""

    def __init__(self):
        def pool():
            return nn.MaxPool2d(3, stride=2, padding=1)

        super().__init__(
            *(_conv(3, 64, 7), nn.ReLU(), pool()),  # [N, 64, 112, 112]
            *(_conv(64, 64, 1), nn.ReLU(), _conv(64, 192, 3), nn.ReLU(), pool()),  # [N, 192, 56, 56]
            Inception(192, 64, (96, 128), (16, 32), 32),
            Inception(256, 128, (128, 192), (32, 96), 64),
            pool(),  # [N, 480, 28, 28]
            Inception(480, 192, (96, 208), (16, 48), 64),
            Inception(512, 160, (112, 224), (24, 64), 64),
            Inception(512, 128, (128, 256), (24, 64), 64),
            Inception(512, 112, (144, 288), (32, 64), 64),
            Inception(528, 256, (160, 320), (32, 128), 128),
            pool(),  # [N, 832, 14, 14]
            Inception(832, 256, (160, 320), (32, 128), 128),
            Inception(832, 384, (192, 384), (48, 128), 128),
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1024, 1)),
        )


def _conv_bn(c_in: int, c_out: int, size: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(c_in, c_out, size, stride=stride, padding=(size - 1) // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(c_out))


class Bottleneck(nn.Module):
    def __init__(self, c_in: int, filters: int, stride: int):
        super().__init__()
        wide = 4 * filters
        self.conv0, self.conv1 = _conv_bn(c_in, filters, 1), _conv_bn(filters, filters, 3, stride)
        self.conv2 = _conv_bn(filters, wide, 1)
        self.short = nn.Identity() if (c_in, stride) == (wide, 1) else _conv_bn(c_in, wide, 1, stride)

    def forward(self, x):
        y = self.conv2(F.relu(self.conv1(F.relu(self.conv0(x)))))
        return F.relu(self.short(x) + y)


class ResNet(nn.Sequential):
    """ResNet-50."""

    def __init__(self, num_classes: int = 1):
        blocks, channels = [], 64
        for stage, depth in enumerate([3, 4, 6, 3]):
            for number in range(depth):
                blocks.append(Bottleneck(channels, 64 * 2**stage, stride=2 if stage and not number else 1))
                channels = 256 * 2**stage
        stem = _conv_bn(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, stride=2, padding=1)  # [N, 64, 56, 56]
        super().__init__(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, num_classes))


class BasicBlock(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.conv0, self.conv1 = _conv_bn(channels, channels, 3), _conv_bn(channels, channels, 3)

    def forward(self, x):
        return F.relu(x + self.conv1(F.relu(self.conv0(x))))


class SmallResNet(nn.Sequential):
    """Chapter 7's own, for pictures of 32 x 32."""

    def __init__(self, width: int = 32):
        stages = []
        for c in (width, 2 * width, 4 * width):
            stages += [nn.MaxPool2d(2), _conv_bn(c, 2 * c, 3), nn.ReLU(), BasicBlock(2 * c)]
        head = nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(8 * width, 10)
        super().__init__(_conv_bn(3, width, 3), nn.ReLU(), *stages, *head)


# By the notebooks' names.
NETWORKS = {
    "01_lenet_mnist:LeNet": LeNet28,
    "02_ichallenge_pm:LeNet": LeNet,
    "03_alexnet:AlexNet": AlexNet,
    "04_vgg:VGG": VGG,
    "05_googlenet:GoogLeNet": GoogLeNet,
    "06_resnet:ResNet": ResNet,
    "07_highlevel_api_cifar10:resnet50": lambda: ResNet(num_classes=10),
    "07_highlevel_api_cifar10:SmallResNet": SmallResNet,
}
