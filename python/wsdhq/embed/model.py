"""A trained model: features or images to embeddings and codes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wsdhq._shared.arguments import as_integer
from wsdhq.data import ImageCollection, SkippedImage, open_images
from wsdhq.data.skipped import list_skipped
from wsdhq.embed.config import TrainConfig
from wsdhq.embed.decoding import decoded_parts
from wsdhq.embed.model_files import read_model, write_model
from wsdhq.embed.networks.network import EmbeddingNetwork, evaluation_mode
from wsdhq.embed.tags import SemanticSphere
from wsdhq.embed.threads import torch_threads
from wsdhq.embed.training.inputs import as_batch
from wsdhq.quant import AdditiveQuantizer

ImageSource = str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | ImageCollection

_ENCODED_AT_ONCE = 16_384


@dataclass(frozen=True, eq=False)
class EmbeddedImages:
    """Embeddings of the images that could be read, and which they are.

    Attributes
    ----------
    embeddings : (n, D) float32
        Unit rows, unless the model keeps norms (`TrainConfig.normalize`).
    kept : (n,) int64
        The row of each in the collection.
    skipped : list of SkippedImage
        The others.
    """

    embeddings: NDArray[np.float32]
    kept: NDArray[np.int64]
    skipped: list[SkippedImage]


class TrainedModel:
    """An embedding network with the quantizer trained jointly with it.

    Made by `train` or `TrainedModel.load`.

    Attributes
    ----------
    config : TrainConfig
        The settings it was trained with.
    network : EmbeddingNetwork
        In evaluation mode.
    quantizer : AdditiveQuantizer
        Its metric is the one that `config.quantizer_metric` names.
    tags : SemanticSphere
        Merged tags: members of each group, and the group of each tag.
    """

    def __init__(
        self,
        config: TrainConfig,
        network: EmbeddingNetwork,
        quantizer: AdditiveQuantizer,
        tags: SemanticSphere,
    ) -> None:
        self.config = config
        self.network = network.eval()
        self.quantizer = quantizer
        self.tags = tags

    def __repr__(self) -> str:
        kind = "images" if self.embeds_images else "features"
        return (
            f"TrainedModel(of {kind}, dim={self.dim}, bits={self.config.bits}, "
            f"{len(self.tags.group_of_tag)} tags)"
        )

    @property
    def sphere(self) -> NDArray[np.float32]:
        """The semantic sphere, (T', D) float32, as training left it.

        Unit rows, unless `config.normalize` is False.
        """
        return self.tags.sphere

    @property
    def dim(self) -> int:
        """D, the dimension of embeddings."""
        return self.network.head.dim

    @property
    def embeds_images(self) -> bool:
        """Whether the model embeds images; otherwise features."""
        return self.network.backbone is not None

    def embed(
        self, data: Any, batch_size: int | None = None, threads: int | None = None
    ) -> NDArray[np.float32]:
        """Embed features or images.

        Parameters
        ----------
        data : array, collection or paths
            Features mode: (N, F) float16, float32 or float64, possibly a memory map. Images
            mode: (N, S, S, 3) uint8 with S = `config.image_size`, an `ImageCollection`, a
            folder, `.zip` or `.txt` list of images, or a sequence of paths.
        batch_size : int or None
            Rows that pass through the network at once; None chooses.
        threads : int or None
            Threads of torch; None leaves torch's setting.

        Returns
        -------
        array, (N, D), float32
            In input order, rows of unit norm unless `config.normalize` is False. A row does not
            depend on which others are in its batch, except that sums in torch may round
            differently.

        Raises
        ------
        TypeError
            Data of another kind or dtype than the model embeds.
        ValueError
            Another width or image size, values that are not finite (the message names the
            row), or images that cannot be read (`embed_images` leaves those out).
        """
        if not isinstance(data, np.ndarray | Tensor):
            images = self.embed_images(data, batch_size, threads)
            if images.skipped:
                raise ValueError(
                    f"{len(images.skipped)} images cannot be read, so that rows would not match "
                    f"images: {list_skipped(images.skipped)}; embed_images leaves them out and "
                    "says which"
                )
            return images.embeddings
        array = self._checked(data)
        embeddings = np.empty((len(array), self.dim), dtype=np.float32)
        for start, block in self.embed_blocks(array, batch_size, threads):
            embeddings[start : start + len(block)] = block
        return embeddings

    def embed_blocks(
        self, data: Any, batch_size: int | None = None, threads: int | None = None
    ) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Embed an array block by block: for outputs larger than memory.

        Parameters
        ----------
        data : array
            As for `embed`, arrays only.
        batch_size, threads
            As for `embed`.

        Yields
        ------
        start : int
            The row that the block begins with.
        block : array, (n, D), float32
            At most `batch_size` rows.
        """
        array = self._checked(data)
        batch_size = self.network.evaluation_batch if batch_size is None else batch_size
        as_integer(batch_size, "batch_size", 1)
        device = self.network.pixel_mean.device
        for start in range(0, len(array), batch_size):
            batch = as_batch(array[start : start + batch_size])
            if batch.is_floating_point() and not torch.isfinite(batch).all():
                row = start + int(torch.isfinite(batch).all(dim=1).int().argmin())
                raise ValueError(
                    f"features: expected finite float32 values, but row {row} is not: "
                    f"{np.asarray(array[row]).tolist()[:5]}..."
                )
            # Threads and mode are set per block: other code runs between two of them.
            with torch_threads(threads), evaluation_mode(self.network):
                block = self.network(batch.to(device)).cpu().numpy()
            yield start, block

    def embed_images(
        self,
        source: ImageSource,
        batch_size: int | None = None,
        threads: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> EmbeddedImages:
        """Embed a collection of images, leaving out those that cannot be read.

        Parameters
        ----------
        source : ImageCollection, path or sequence of paths
            A collection, or what `wsdhq.data.open_images` opens.
        batch_size, threads
            As for `embed`; `threads` is the number of decoding threads too.
        progress : callable, optional
            Called with (images done, images in all), those left out counted.

        Returns
        -------
        EmbeddedImages
            Decoded and embedded a part at a time: memory does not grow with the pixels.

        Raises
        ------
        ValueError
            The model embeds features.
        """
        if not self.embeds_images:
            raise ValueError(
                f"this model embeds features, expected an (N, {self.network.head.in_dim}) array, "
                f"got {type(source).__name__}"
            )
        if not isinstance(source, ImageCollection):
            with open_images(source) as collection:
                return self.embed_images(collection, batch_size, threads, progress)
        embeddings, kept, skipped = [], [], []
        done = 0
        for decoded in decoded_parts(source, self.config.image_size, threads):
            embeddings.append(self.embed(decoded.pixels, batch_size, threads))
            kept.append(decoded.kept)
            skipped += decoded.skipped
            if progress is not None:
                done += len(decoded.pixels) + len(decoded.skipped)
                progress(done, len(source))
        return EmbeddedImages(np.concatenate(embeddings), np.concatenate(kept), skipped)

    def embed_tags(self, tags: Sequence[str]) -> NDArray[np.float32]:
        """The place on the hypersphere that tags point to, to search with words.

        Parameters
        ----------
        tags : sequence of str
            At least one that training knew; case does not matter.

        Returns
        -------
        array, (D,), float32
            The mean of the tags' points on the semantic sphere, brought to unit norm: that of a
            query changes no ranking.

        Raises
        ------
        TypeError
            A single str, whose letters would be the tags.
        ValueError
            A tag is unknown (the message names it), there is none, or they cancel out.
        """
        if isinstance(tags, str):
            raise TypeError(f"tags: expected a list of tags such as [{tags!r}], got a str")
        groups = []
        for tag in tags:
            group = self.tags.group_of_tag.get(tag.lower())
            if group is None:
                raise ValueError(
                    f"tags: {tag!r} is not among the {len(self.tags.group_of_tag)} tags that "
                    "training knew"
                )
            groups.append(group)
        if not groups:
            raise ValueError("tags: expected at least one tag, got none")
        mean = self.sphere[groups].astype(np.float64).mean(axis=0)
        norm = float(np.linalg.norm(mean))
        if norm < 1e-6:
            raise ValueError(f"tags: {', '.join(tags)} cancel out on the sphere")
        direction: NDArray[np.float32] = (mean / norm).astype(np.float32)
        return direction

    def encode(
        self, data: Any, batch_size: int | None = None, threads: int | None = None
    ) -> NDArray[np.uint8]:
        """Embed features or images and encode the embeddings.

        Parameters
        ----------
        data, batch_size, threads
            As for `embed`.

        Returns
        -------
        array, (N, M), uint8
            One byte per codebook. For arrays, embeddings are held a part at a time.
        """
        if not isinstance(data, np.ndarray | Tensor):
            return self.quantizer.encode(self.embed(data, batch_size, threads), threads=threads)
        array = self._checked(data)
        codes = np.empty((len(array), len(self.quantizer.codebooks)), dtype=np.uint8)
        parts: list[NDArray[np.float32]] = []
        first = 0
        for start, block in self.embed_blocks(array, batch_size, threads):
            parts.append(block)
            end = start + len(block)
            if end - first >= _ENCODED_AT_ONCE or end == len(array):
                codes[first:end] = self.quantizer.encode(np.concatenate(parts), threads=threads)
                parts, first = [], end
        return codes

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write config.toml, tags.json and model.safetensors into a directory.

        Parameters
        ----------
        path : path
            The directory, made if it is not there. model.safetensors comes last, so that a
            directory that has it is whole.
        """
        write_model(path, self.config, self.network, self.quantizer, self.tags)

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], backbone: nn.Module | None = None, device: str = "cpu"
    ) -> TrainedModel:
        """Load a run directory.

        Parameters
        ----------
        path : path
            The directory that `train` or `save` wrote.
        backbone : torch.nn.Module, optional
            The network that was given to `train`, if one was; its weights are replaced.
        device : str
            Where torch computes: "cpu", "cuda" or "cuda:N".

        Returns
        -------
        TrainedModel

        Raises
        ------
        FileNotFoundError
            The directory or one of its files is missing: the training has not ended. The
            message names the file and what it should hold.
        ImportError
            The library of the backbone, torchvision or timm, is not installed.
        ValueError
            A file is truncated, foreign, does not fit the others, or holds NaN; or torch does
            not see `device`.
        """
        return cls(*read_model(path, backbone, device))

    def _checked(self, data: Any) -> NDArray[Any]:
        array = data.numpy(force=True) if isinstance(data, Tensor) else data
        if self.embeds_images:
            size = self.config.image_size
            if array.dtype != np.uint8:
                raise TypeError(f"images: expected uint8, got {array.dtype}")
            if array.ndim != 4 or array.shape[1:] != (size, size, 3):
                raise ValueError(
                    f"images: expected shape (N, {size}, {size}, 3), got {array.shape}"
                )
            return array
        if array.dtype.kind != "f" or array.dtype.itemsize > 8:
            raise TypeError(f"features: expected float16, float32 or float64, got {array.dtype}")
        width = self.network.head.in_dim
        if array.ndim != 2 or array.shape[1] != width:
            raise ValueError(f"features: expected shape (N, {width}), got {array.shape}")
        return array
