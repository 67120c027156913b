"""PyTorch models of the transformers library, as a job file names them. Two by their shape alone, one with weights."""

from torch import nn


def resnet() -> nn.Module:
    from transformers import ResNetConfig, ResNetForImageClassification

    config = ResNetConfig(
        depths=[2, 2, 2, 2], hidden_sizes=[64, 128, 256, 512], layer_type="basic", num_labels=10
    )  # ResNet-18
    return ResNetForImageClassification(config)


def vit() -> nn.Module:
    from transformers import ViTConfig, ViTModel

    config = ViTConfig(
        hidden_size=192,
        num_hidden_layers=4,
        num_attention_heads=3,
        intermediate_size=768,
        image_size=96,
        patch_size=16,
    )
    return ViTModel(config)


def minilm(folder: str) -> nn.Module:
    """all-MiniLM-L6-v2, with the weights that fetch.py took."""
    from transformers import AutoModel

    return AutoModel.from_pretrained(folder, local_files_only=True)
