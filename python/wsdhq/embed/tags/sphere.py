"""From tag sets and word vectors to the semantic hypersphere and what each image has on it.

Method section 1; paper, "Enhance Weak Supervision with Tag Correlation".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from wsdhq._shared.arguments import as_integer
from wsdhq.embed.tags.graph import correlation_graph, enhance, group_means, merge_dense
from wsdhq.embed.tags.sets import check_tag_sets, count_images
from wsdhq.embed.tags.word_vectors import WordVectors

_NUM_EXAMPLES = 10
_NAMES_SHOWN = 8


@dataclass(frozen=True)
class TagReport:
    """What became of the tags: counts of what was dropped, linked and merged.

    An occurrence is one tag on one image; a tag repeated on an image counts once there.

    Parameters
    ----------
    num_images : int
        Images, with tags or without.
    num_untagged, num_left_without_tags : int
        Images that had no tag, and images whose every tag was dropped.
    num_distinct, num_occurrences : int
        Different tags, and occurrences of them, before anything was dropped.
    min_count, num_rare, rare_occurrences : int
        Tags dropped because fewer than `min_count` images carry them.
    num_unknown, unknown_occurrences : int
        Tags dropped because they have no word vector.
    unknown_examples : tuple of str
        The most frequent of them, at most 10.
    num_neighbours, threshold, radius : int, float, float
        k, tau and eps of method section 1.
    num_tags, num_edges, num_isolated : int
        Tags in the graph, its links from a tag to another, tags without such a link.
    num_groups, num_merged_groups, num_merged_tags : int
        Points of the sphere, those that stand for several tags, the tags these stand for.
    largest_groups : tuple of tuple of str
        Merged groups, at most 10: most members first, then most occurrences. Within a
        group the most frequent tag comes first.
    """

    num_images: int
    num_untagged: int
    num_left_without_tags: int
    num_distinct: int
    num_occurrences: int
    min_count: int
    num_rare: int
    rare_occurrences: int
    num_unknown: int
    unknown_occurrences: int
    unknown_examples: tuple[str, ...]
    num_neighbours: int
    threshold: float
    radius: float
    num_tags: int
    num_edges: int
    num_isolated: int
    num_groups: int
    num_merged_groups: int
    num_merged_tags: int
    largest_groups: tuple[tuple[str, ...], ...]

    def summary_lines(self) -> list[str]:
        """The report as lines of plain text of about 100 characters, long lists shortened."""
        usable = self.num_images - self.num_untagged - self.num_left_without_tags
        lines = [
            f"tags            {self.num_distinct:,} different, {self.num_occurrences:,} in all "
            f"on {self.num_images:,} images",
        ]
        if self.num_rare:
            lines.append(
                f"too rare        {self.num_rare:,} tags on fewer than {self.min_count} images "
                f"dropped ({self.rare_occurrences:,} occurrences)"
            )
        lines.append(
            f"no word vector  {self.num_unknown:,} tags dropped "
            f"({self.unknown_occurrences:,} occurrences)"
            + (f": {_listing(self.unknown_examples, self.num_unknown)}" * bool(self.num_unknown))
        )
        lines.append(
            f"graph           {self.num_tags:,} tags, {self.num_edges:,} links (cosine at least "
            f"{self.threshold:g} among the {self.num_neighbours} nearest), "
            f"{self.num_isolated:,} tags without any"
        )
        lines.append(
            f"merged          {self.num_merged_tags:,} tags into {self.num_merged_groups:,} groups "
            f"(within {self.radius:g}): {self.num_groups:,} points on the sphere"
        )
        lines += [
            f"  {len(group):>12,}  {_listing(group, len(group))}" for group in self.largest_groups
        ]
        lines.append(
            f"images          {usable:,} have tags to learn from, {self.num_untagged:,} had none, "
            f"{self.num_left_without_tags:,} lost all theirs"
        )
        return lines

    def __str__(self) -> str:
        return "\n".join(self.summary_lines())


@dataclass(frozen=True, eq=False)
class SemanticSphere:
    """The merged tags as points on the unit sphere (S of method.md, "Symbols").

    Parameters
    ----------
    sphere : (T', D) numpy.ndarray of float32
        One vector per group of merged tags, of unit norm if `normalized`.
    members : tuple of tuple of str
        The tags of each group. Groups stand in order of their first member, tags in order
        of their first appearance in the data.
    report : TagReport
        How they came about.
    positives : (N, T') scipy.sparse.csr_array of bool, or None
        Which groups each image carries; None for a sphere read from a file.
    normalized : bool
        Whether the vectors are on the unit sphere, or keep the norms that their words give
        them (the paper's WSDHQ_N).

    Attributes
    ----------
    group_of_tag : dict of str to int
        The group of each tag.

    Raises
    ------
    TypeError
        `sphere` is not float32.
    ValueError
        Shapes disagree, a row is not of the norm it should be, or a tag is in two groups.
    """

    sphere: NDArray[np.float32]
    members: tuple[tuple[str, ...], ...]
    report: TagReport
    positives: sparse.csr_array | None = None
    normalized: bool = True
    group_of_tag: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.sphere, np.ndarray) or self.sphere.dtype != np.float32:
            raise TypeError("sphere: expected a NumPy array of float32")
        if self.sphere.ndim != 2 or len(self.sphere) != len(self.members):
            raise ValueError(
                f"sphere: expected ({len(self.members)}, D), a row per group of tags, "
                f"got {self.sphere.shape}"
            )
        norms = np.linalg.norm(self.sphere.astype(np.float64), axis=1)
        good = np.abs(norms - 1.0) < 1e-3 if self.normalized else np.isfinite(norms)
        if not good.all():
            row = int(np.flatnonzero(~good)[0])
            wanted = "norm 1" if self.normalized else "a finite norm"
            raise ValueError(f"sphere[{row}]: expected {wanted}, got {norms[row]:g}")
        group_of_tag: dict[str, int] = {}
        for group, tags in enumerate(self.members):
            if not tags:
                raise ValueError(f"members[{group}] is empty: expected at least one tag")
            for tag in tags:
                if tag in group_of_tag:
                    raise ValueError(
                        f"the tag {tag!r} is in groups {group_of_tag[tag]} and {group}"
                    )
                group_of_tag[tag] = group
        shape = None if self.positives is None else self.positives.shape
        if shape is not None and shape[1] != len(self.members):
            raise ValueError(f"positives: expected (N, {len(self.members)}), got {shape}")
        object.__setattr__(self, "group_of_tag", group_of_tag)

    def positives_of(self, tag_sets: Sequence[Sequence[str]]) -> sparse.csr_array:
        """Map tag sets to the groups they carry.

        Parameters
        ----------
        tag_sets : sequence of sequences of str
            The tags of each image. Those that are in no group are passed over.

        Returns
        -------
        (N, T') scipy.sparse.csr_array of bool
            True where the image has a tag of the group.
        """
        indices: list[int] = []
        limits = [0]
        for tags in tag_sets:
            groups = {self.group_of_tag[tag] for tag in tags if tag in self.group_of_tag}
            indices += sorted(groups)
            limits.append(len(indices))
        return sparse.csr_array(
            (np.ones(len(indices), dtype=bool), np.array(indices, dtype=np.int64), limits),
            shape=(len(limits) - 1, len(self.members)),
        )

    def to_json(self) -> dict[str, Any]:
        """The groups and the report as JSON values; the vectors are kept elsewhere."""
        return {"groups": [list(tags) for tags in self.members], "report": asdict(self.report)}

    @classmethod
    def from_json(
        cls, value: Any, sphere: NDArray[np.float32], *, normalized: bool = True
    ) -> SemanticSphere:
        """Rebuild a sphere from `to_json` and its vectors.

        Parameters
        ----------
        value : object
            What `to_json` gave, after a way through JSON.
        sphere : (T', D) numpy.ndarray of float32
            The vectors of the groups.
        normalized : bool
            Whether they are of unit norm.

        Returns
        -------
        SemanticSphere
            Without `positives`, which belong to the images and not to the tags.

        Raises
        ------
        ValueError
            `value` is not of that form, or does not fit `sphere`.
        """
        if not isinstance(value, dict) or set(value) != {"groups", "report"}:
            raise ValueError("tags: expected an object with the keys 'groups' and 'report'")
        groups = value["groups"]
        if not _is_table_of_strings(groups):
            raise ValueError("tags: 'groups': expected a list of lists of strings")
        report = _report_from_json(value["report"])
        return cls(sphere, tuple(map(tuple, groups)), report, normalized=normalized)


def build_semantic_sphere(
    tag_sets: Sequence[Sequence[str]],
    word_vectors: WordVectors,
    *,
    num_neighbours: int = 20,
    threshold: float = 0.75,
    radius: float = 0.1,
    min_count: int = 1,
    normalize: bool = True,
) -> SemanticSphere:
    """Enhance and merge the tags of a collection, and place them on the unit sphere.

    Method section 1. The tags that have a vector (`WordVectors.find`), in order of their
    first appearance, are the rows of T; T is enhanced on the correlation graph, tags
    density-reachable from each other become one group at their mean, and the means are
    L2-normalized (unless `normalize` is False: the paper's WSDHQ_N).

    Parameters
    ----------
    tag_sets : sequence of sequences of str
        The tags of each image. An image may have none, and keeps its row.
    word_vectors : WordVectors
        Vectors of any norm; the norm tells how much a vector weighs among its neighbours,
        and how far `radius` reaches.
    num_neighbours : int
        k. With 0 tags are not enhanced.
    threshold : float
        tau, a cosine.
    radius : float
        eps, on the scale of the word vectors. With 0 only tags of equal vectors merge.
    min_count : int
        Tags carried by fewer images are dropped, at least 1.
    normalize : bool
        Whether the means are brought to unit norm.

    Returns
    -------
    SemanticSphere
        With the `positives` of these tag sets and the report.

    Raises
    ------
    TypeError
        An argument, or a tag, of the wrong type.
    ValueError
        A tag is empty; no tag is left, for want of tags, of images that carry them or of
        word vectors (the message shows examples of both sides); a tag's vector is zero, or
        the tags of a group cancel out; a parameter is out of its range.
    """
    if not isinstance(word_vectors, WordVectors):
        raise TypeError(f"word_vectors: expected a WordVectors, got {type(word_vectors).__name__}")
    as_integer(min_count, "min_count", 1)
    checked = check_tag_sets(tag_sets)
    counts = count_images(checked)
    frequent = [tag for tag, count in counts.items() if count >= min_count]
    if not frequent:
        tag, count = counts.most_common(1)[0]
        raise ValueError(
            f"no tag is carried by min_count = {min_count} images: the most frequent, {tag!r}, "
            f"by {count}"
        )
    found = {tag: row for tag in frequent if (row := word_vectors.find(tag)) is not None}
    unknown = sorted((tag for tag in frequent if tag not in found), key=lambda tag: -counts[tag])
    if not found:
        raise ValueError(
            f"none of the {len(frequent)} tags has a word vector: the tags are such as "
            f"{', '.join(map(repr, unknown[:5]))}, the words of the vectors such as "
            f"{', '.join(map(repr, word_vectors.words[:5]))}"
        )
    tags = list(found)
    vectors = word_vectors.vectors[list(found.values())]
    if not vectors.any(axis=1).all():
        zero = tags[int(np.flatnonzero(~vectors.any(axis=1))[0])]
        raise ValueError(f"the word vector of the tag {zero!r} is zero: it has no direction")

    graph = correlation_graph(vectors, num_neighbours, threshold)
    enhanced = enhance(vectors, graph)
    group_of = merge_dense(enhanced, radius)
    members: list[list[str]] = [[] for _ in range(int(group_of.max()) + 1)]
    for tag, group in zip(tags, group_of):
        members[group].append(tag)
    points = _group_points(vectors, enhanced, group_of, members, normalize)

    in_graph = set(tags)
    merged = sorted(
        (sorted(group, key=lambda tag: -counts[tag]) for group in members if len(group) > 1),
        key=lambda group: (-len(group), -sum(counts[tag] for tag in group)),
    )
    report = TagReport(
        num_images=len(checked),
        num_untagged=sum(not image for image in checked),
        num_left_without_tags=sum(bool(image) and in_graph.isdisjoint(image) for image in checked),
        num_distinct=len(counts),
        num_occurrences=counts.total(),
        min_count=int(min_count),
        num_rare=len(counts) - len(frequent),
        rare_occurrences=sum(count for count in counts.values() if count < min_count),
        num_unknown=len(unknown),
        unknown_occurrences=sum(counts[tag] for tag in unknown),
        unknown_examples=tuple(unknown[:_NUM_EXAMPLES]),
        num_neighbours=int(num_neighbours),
        threshold=float(threshold),
        radius=float(radius),
        num_tags=len(tags),
        num_edges=graph.nnz - len(tags),
        num_isolated=int(np.count_nonzero(np.diff(graph.indptr) == 1)),
        num_groups=len(members),
        num_merged_groups=len(merged),
        num_merged_tags=sum(map(len, merged)),
        largest_groups=tuple(map(tuple, merged[:_NUM_EXAMPLES])),
    )
    bare = SemanticSphere(points, tuple(map(tuple, members)), report, normalized=normalize)
    return replace(bare, positives=bare.positives_of(checked))


def _group_points(
    vectors: NDArray[np.float32],
    enhanced: NDArray[np.float64],
    group_of: NDArray[np.int64],
    members: list[list[str]],
    normalize: bool,
) -> NDArray[np.float32]:
    means = group_means(enhanced, group_of)
    if not normalize:
        return means.astype(np.float32)
    norms = np.linalg.norm(means, axis=1)
    scale = np.zeros(len(means))
    np.maximum.at(scale, group_of, np.linalg.norm(vectors.astype(np.float64), axis=1))
    # What is left of vectors that cancel out is rounding, and its direction means nothing.
    cancelled = np.flatnonzero(norms <= 1e-12 * scale)
    if len(cancelled):
        names = members[int(cancelled[0])]
        raise ValueError(
            f"the enhanced vectors of the merged tags {_listing(names, len(names))} cancel out: "
            f"their mean has no direction; a smaller radius keeps them apart"
        )
    return np.asarray(means / norms[:, None], dtype=np.float32)


def _listing(names: Sequence[str], total: int) -> str:
    shown = ", ".join(names[:_NAMES_SHOWN])
    return f"{shown}, …" if total > _NAMES_SHOWN else shown


def _is_table_of_strings(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(row, list) and all(isinstance(item, str) for item in row) for row in value
    )


def _report_from_json(value: Any) -> TagReport:
    names = {entry.name for entry in fields(TagReport)}
    if not isinstance(value, dict) or set(value) != names:
        raise ValueError(f"tags: 'report': expected an object with the keys {', '.join(names)}")
    values = dict(value)
    examples, groups = values["unknown_examples"], values["largest_groups"]
    if not _is_table_of_strings([examples]) or not _is_table_of_strings(groups):
        raise ValueError("tags: the examples and groups of 'report': expected lists of strings")
    values["unknown_examples"] = tuple(examples)
    values["largest_groups"] = tuple(map(tuple, groups))
    for name, number in values.items():
        if isinstance(number, (bool, str)) or not isinstance(number, (int, float, tuple)):
            raise ValueError(f"tags: {name!r} of 'report': expected a number, got {number!r}")
    return TagReport(**values)
