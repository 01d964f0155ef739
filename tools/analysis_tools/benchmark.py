"""Time and memory of the refinement against the published forms (or what is named), in one run, as ratios.

The published forms are those of tests/reference. Both run on the same input, their results are compared, and each time
is the least of several runs (the CRF: the mean over several pictures).
"""

import argparse
import json
import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import torch
from prettytable import PrettyTable
from scipy.sparse import csr_matrix

from mmppc.datasets.toy_drawing import draw_picture
from mmppc.functional.affinity import (
    boundary_affinity,
    feature_affinity,
    neighbour_offsets,
    overlap,
)
from mmppc.functional.affinity_loss import affinity_loss
from mmppc.functional.dense_crf import CRF_PRESETS, crf_from_labels, crf_marginals
from mmppc.functional.equivariance import max_norm
from mmppc.functional.random_walk import random_walk, transition
from mmppc.models.views import resize_maps
from mmppc.storage.pictures import read_picture
from tests.reference.affinity import gathered_feature_affinity, literal_affinity_loss
from tests.reference.crf import plain_crf, plain_unary
from tests.reference.seam import literal_max_norm
from tests.reference.walk import dense_walk

OFFSETS = neighbour_offsets(5)
BENCHMARKS: dict[str, Callable[[argparse.Namespace], list[dict]]] = {}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--only', nargs='+', choices=sorted(BENCHMARKS), help='some of them')
    parser.add_argument('--repeats', type=int, default=3, help='runs, of which the least counts')
    parser.add_argument('--threads', type=int, help='threads of PyTorch (the CRF uses one)')
    parser.add_argument(
        '--pictures', type=Path, help='folder of pictures for the CRF (default: drawn ones)'
    )
    parser.add_argument('--out', type=Path, help='write the rows as JSON')
    return parser.parse_args()


def benchmark(function: Callable) -> Callable:
    """Offer a function under its name."""
    BENCHMARKS[function.__name__] = function
    return function


def least(function: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Seconds of the fastest run, and the result."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = function()
        times.append(time.perf_counter() - start)
    return min(times), result


def row(name: str, ours: float, theirs: float, unit: str, agreement: str, note: str = '') -> dict:
    """A line of the table."""
    return {
        'what': name, 'ours': ours, 'compared with': theirs, 'unit': unit,
        'ratio': theirs / ours, 'agreement': agreement, 'note': note,
    }  # fmt: skip


def relative(found: torch.Tensor, expected: torch.Tensor) -> str:
    """Largest difference relative to the largest value, and the share of cells with the same winner."""
    error = float((found - expected).abs().max() / expected.abs().max())
    same = float((found.argmax(0) == expected.argmax(0)).float().mean())
    return f'{error:.0e} of the largest value, winner the same in {same:.2%}'


def smooth_affinity(height: int, width: int) -> torch.Tensor:
    """Affinities of smooth features, as a network's are."""
    features = torch.randn(1, 8, height // 4 + 2, width // 4 + 2)
    features = torch.nn.functional.interpolate(features, size=(height, width), mode='bicubic')
    return feature_affinity(features[0], OFFSETS)


@benchmark
def walk(args: argparse.Namespace) -> list[dict]:
    """PSA: 47 x 63 cells (a picture of 375 x 500 at stride 8), beta 8."""
    affinity = smooth_affinity(47, 63)
    scores = torch.rand(4, 47, 63)
    rows = []
    for log_steps in (6, 8):
        given = {'beta': 8.0, 'steps': 2**log_steps}
        theirs, expected = least(
            lambda n=log_steps: dense_walk(scores, affinity, OFFSETS, 8.0, n), args.repeats
        )
        for method in ('exact', 'chebyshev'):
            ours, found = least(
                lambda m=method, g=given: random_walk(scores, affinity, OFFSETS, method=m, **g),
                args.repeats,
            )
            name = f'walk 47x63, 4 rows, 2^{log_steps} steps, {method}'
            rows.append(row(name, ours, theirs, 's', relative(found, expected)))
    return rows


@benchmark
def walk_kernels(args: argparse.Namespace) -> list[dict]:
    """What multiplies the sparse matrix on a CPU: torch's CSR, which the walk takes, scipy's CSR, shifted slices."""
    affinity, scores = smooth_affinity(47, 63), torch.rand(4, 47, 63)
    ours, found = least(
        lambda: random_walk(scores, affinity, OFFSETS, beta=8.0, steps=256), args.repeats
    )
    rows = []
    for name, walker in (('scipy CSR', scipy_walk), ('shifted slices', sliced_walk)):
        seconds, expected = least(lambda w=walker: w(scores, affinity, 8.0, 256), args.repeats)
        title = f'walk 47x63, 4 rows, 2^8 steps, torch CSR against {name}'
        rows.append(row(title, ours, seconds, 's', relative(found, expected)))
    return rows


def scipy_walk(scores: torch.Tensor, affinity: torch.Tensor, beta: float, steps: int) -> Any:
    """The walk by scipy's products."""
    matrix = transition(affinity, OFFSETS, beta)
    parts = (matrix.values(), matrix.col_indices(), matrix.crow_indices())
    product = csr_matrix(tuple(part.numpy() for part in parts), shape=tuple(matrix.shape))
    state = scores.flatten(1).t().contiguous().numpy()
    for _ in range(steps):
        state = product @ state
    return torch.from_numpy(state).t().reshape(scores.shape)


def sliced_walk(scores: torch.Tensor, affinity: torch.Tensor, beta: float, steps: int) -> Any:
    """The walk without a matrix: 68 shifted slices a step."""
    height, width = scores.shape[1:]
    weight = affinity**beta
    parts = [overlap(dy, dx, height, width) for dy, dx in OFFSETS.tolist()]
    total = torch.ones(height, width)
    for index, (rows, columns, rows_to, columns_to) in enumerate(parts):
        values = weight[index, rows, columns]
        total[rows, columns] += values
        total[rows_to, columns_to] += values
    state = scores
    for _ in range(steps):
        following = state.clone()
        for index, (rows, columns, rows_to, columns_to) in enumerate(parts):
            values = weight[index, rows, columns]
            following[:, rows, columns] += values * state[:, rows_to, columns_to]
            following[:, rows_to, columns_to] += values * state[:, rows, columns]
        state = following / total
    return state


@benchmark
def irn_walk(args: argparse.Namespace) -> list[dict]:
    """IRN: 94 x 125 cells (the same picture at stride 4), beta 10, 2^8 steps; dense at smaller sizes."""

    def case(height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
        edge = smooth_affinity(height, width)[0] * 0.5
        return boundary_affinity(edge, OFFSETS), torch.rand(3, height, width) * (1 - edge)

    dense, cells = {}, {}
    for height, width in ((24, 31), (47, 63)):
        affinity, scores = case(height, width)
        seconds, expected = least(
            lambda a=affinity, s=scores: dense_walk(s, a, OFFSETS, 10.0, 8), args.repeats
        )
        dense[height], cells[height] = seconds, height * width
    found = random_walk(scores, affinity, OFFSETS, beta=10.0, steps=256)
    agreement = f'at 47x63: {relative(found, expected)}'
    exponent = np.log(dense[47] / dense[24]) / np.log(cells[47] / cells[24])
    affinity, scores = case(94, 125)
    ours, _ = least(
        lambda: random_walk(scores, affinity, OFFSETS, beta=10.0, steps=256), args.repeats
    )
    theirs = dense[47] * (94 * 125 / cells[47]) ** 3
    note = (
        f'published form extrapolated from {dense[47]:.2f} s at 47x63 by the cubic law of matrix products '
        f'(measured exponent from 24x31 to 47x63: {exponent:.2f})'
    )
    return [row('IRN walk 94x125, 3 rows, 2^8 steps', ours, theirs, 's', agreement, note)]


@benchmark
def crf(args: argparse.Namespace) -> list[dict]:
    """CRF over 21 labels on pictures of 375 x 500, one core: one map of a seed, two maps of confident labels."""
    if args.pictures:
        files = sorted(path for path in args.pictures.iterdir() if path.suffix in ('.jpg', '.png'))
        fitting = (image for image in map(read_picture, files) if image.shape[:2] == (375, 500))
        images = list(islice(fitting, args.repeats))
        if not images:
            raise SystemExit(f'{args.pictures}: no picture of 500x375 pixels')
    else:
        rng = np.random.default_rng(0)
        images = [draw_picture(k, 620, rng)[0][:375, :500] for k in range(args.repeats)]
    rows = []
    for tags in (1, 2):
        for name in ('seed', 'ppc_affinity'):
            # A picture's confident labels take two maps, a cautious and a bold one.
            maps = [label_map(image, tags, 0.5 + 0.1 * k) for image in images for k in range(2)]
            pairs = [np.stack(maps[2 * k : 2 * k + 2]) for k in range(len(images))]
            if name == 'seed':
                pairs = [pair[0] for pair in pairs]
            jobs = list(zip(images, pairs))
            ours, found = mean([partial(ours_crf, *job, name) for job in jobs])
            theirs, expected = mean([partial(theirs_crf, *job, name) for job in jobs])
            same = np.mean([np.mean(a == b) for a, b in zip(found, expected)])
            what = 'one map' if name == 'seed' else 'two maps'
            title = f'CRF {name!r}, 375x500, 21 labels, {what}, {tags} tag{"s" * (tags > 1)}'
            rows.append(row(title, ours, theirs, 's', f'labels the same in {same:.3%}'))
    return rows


def mean(jobs: list[Callable[[], Any]]) -> tuple[float, list]:
    """Mean seconds a job, and the results."""
    start = time.perf_counter()
    results = [job() for job in jobs]
    return (time.perf_counter() - start) / len(jobs), results


def label_map(image: np.ndarray, tags: int, level: float) -> np.ndarray:
    """A label map that follows the picture's brightness, as a rough seed does."""
    grey = torch.from_numpy(image.mean(-1))[None, None]
    coarse = torch.nn.functional.avg_pool2d(grey, 25)
    smooth = torch.nn.functional.interpolate(coarse, size=image.shape[:2], mode='bilinear')[0, 0]
    labels = np.zeros(image.shape[:2], np.uint8)
    for k in range(tags):
        labels[smooth.numpy() > np.quantile(smooth, level + 0.2 * k)] = 8 + 4 * k
    return labels


def ours_crf(image: np.ndarray, labels: np.ndarray, name: str) -> np.ndarray:
    """Label map of one map, marginals' winners of a stack."""
    if labels.ndim == 2:
        return crf_from_labels(image, labels, 21, name)
    found = crf_marginals(image, labels, 21, name)
    return found.labels[found.probabilities.argmax(axis=1)]


def theirs_crf(image: np.ndarray, labels: np.ndarray, name: str) -> np.ndarray:
    """The same with all 21 labels and a CRF for every map."""
    preset = CRF_PRESETS[name]
    maps = labels[None] if labels.ndim == 2 else labels
    results = [
        plain_crf(image, plain_unary(item, 21, preset.confidence), preset).argmax(axis=0)
        for item in maps
    ]
    return results[0] if labels.ndim == 2 else np.stack(results)


@benchmark
def affinity_training(args: argparse.Namespace) -> list[dict]:
    """PSA: forward and backward of the loss on (1, 448, 56, 56) features, one picture at the published size."""
    results = {}
    for kind in ('ours', 'published'):
        with multiprocessing.get_context('spawn').Pool(1) as pool:
            results[kind] = pool.apply(affinity_step, (kind, args.repeats, torch.get_num_threads()))
    ours, theirs = results['ours'], results['published']
    loss = abs(ours['loss'] - theirs['loss']) / abs(theirs['loss'])
    slope = np.abs(ours['gradient'] - theirs['gradient']).max() / np.abs(theirs['gradient']).max()
    agreement = f'loss within {loss:.0e}, gradient within {slope:.0e}, relative'
    name = 'affinity training step, one picture'
    return [
        row(f'{name}: memory', ours['memory'], theirs['memory'], 'MB', agreement, ours['how']),
        row(f'{name}: time', ours['seconds'], theirs['seconds'], 's', agreement),
    ]


def affinity_step(kind: str, repeats: int, threads: int) -> dict:
    """One way of the training step in a process of its own; its peak memory beyond the features."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    features = torch.randn(1, 448, 56, 56, requires_grad=True)
    labels = torch.randint(0, 3, (1, 7, 7)).repeat_interleave(8, 1).repeat_interleave(8, 2)
    labels[labels == 2] = 255

    def step() -> float:
        features.grad = None
        if kind == 'ours':
            affinity = feature_affinity(features, OFFSETS)
            loss = sum(affinity_loss(affinity, labels, OFFSETS, border='published').values())
        else:
            loss = literal_affinity_loss(
                gathered_feature_affinity(features, OFFSETS), labels, OFFSETS
            )
        loss.backward()
        return loss.item()

    small = torch.randn(8, 8, requires_grad=True)  # starts what PyTorch starts once
    (small @ small).sum().backward()
    memory, how = peak_memory(step)
    seconds, loss = least(step, repeats)
    return {
        'loss': loss, 'gradient': features.grad.numpy(), 'memory': memory, 'seconds': seconds,
        'how': how,
    }  # fmt: skip


@benchmark
def normalisation(args: argparse.Namespace) -> list[dict]:
    """SEAM's normalisation of 16 x 7 maps of 224 x 224, with its gradient, against autograd map by map."""
    maps = resize_maps(torch.randn(16, 7, 14, 14), (224, 224))
    maps.requires_grad_()
    weights = torch.rand_like(maps)

    def step(function: Callable) -> tuple[torch.Tensor, torch.Tensor]:
        scores = function(maps)
        return scores.detach(), torch.autograd.grad((scores * weights).sum(), maps)[0]

    ours, found = least(lambda: step(max_norm), args.repeats)
    theirs, expected = least(lambda: step(literal_max_norm), args.repeats)
    errors = [float((a - b).abs().max() / b.abs().max()) for a, b in zip(found, expected)]
    agreement = f'values within {errors[0]:.0e}, gradient within {errors[1]:.0e}, relative'
    return [row('max_norm, 16x7 maps of 224x224: time', ours, theirs, 's', agreement)]


@benchmark
def large_picture(args: argparse.Namespace) -> list[dict]:
    """Affinities and walk of a picture of 2048 x 2048 pixels, three classes and the background."""
    rows = []
    for kind, side in (('PSA', 256), ('IRN', 512)):
        with multiprocessing.get_context('spawn').Pool(1) as pool:
            memory, seconds = pool.apply(large_walk, (kind, side, torch.get_num_threads()))
        dense = 2 * (side * side) ** 2 * 4 / 2**20  # the transition and its square
        name = f'{kind} 2048x2048, {side}x{side} cells: memory ({seconds:.0f} s)'
        note = 'published form of a large picture: two dense matrices in float32, by calculation'
        rows.append(row(name, memory, dense, 'MB', 'see walk and irn_walk', note))
    return rows


def large_walk(kind: str, side: int, threads: int) -> tuple[float, float]:
    """Peak memory (MB) beyond the network's output, and seconds."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    output = torch.rand(448, side, side) if kind == 'PSA' else torch.rand(side, side) ** 4
    scores = torch.rand(4, side, side)
    start = time.perf_counter()

    def run() -> None:
        if kind == 'PSA':
            random_walk(scores, feature_affinity(output, OFFSETS), OFFSETS, beta=8.0, steps=64)
        else:
            affinity = boundary_affinity(output, OFFSETS)
            random_walk(scores[1:] * (1 - output), affinity, OFFSETS, beta=10.0, steps=256)

    memory, _ = peak_memory(run)
    return memory, time.perf_counter() - start


def peak_memory(function: Callable[[], Any]) -> tuple[float, str]:
    """MB of resident memory that a call needs at its peak beyond what was there before."""
    status = Path('/proc/self/status')

    def field(name: str) -> float:
        lines = status.read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024

    if not status.is_file():
        raise SystemExit('the memory of a step is read from /proc, which this system lacks')
    Path('/proc/self/clear_refs').write_text('5')  # forgets the former peak
    before = field('VmRSS')
    function()
    return field('VmHWM') - before, 'peak of the resident memory, first step of a new process'


def show(rows: list[dict]) -> None:
    """Print the rows as a table."""
    table = PrettyTable(['what', 'ours', 'compared with', 'ratio', 'agreement'])
    table.align = 'l'
    for item in rows:
        values = [f'{item[key]:.4g} {item["unit"]}' for key in ('ours', 'compared with')]
        table.add_row([item['what'], *values, f'{item["ratio"]:.1f}', item['agreement']])
    print(table)
    for note in sorted({item['note'] for item in rows if item['note']}):
        print(note)


def main() -> None:
    args = parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    machine = {
        'processor': processor(),
        'cpus': os.cpu_count(),
        'threads': torch.get_num_threads(),
        'python': platform.python_version(),
        **{name: version(name) for name in ('torch', 'numpy', 'scipy', 'pydensecrf2')},
    }
    print(', '.join(f'{key} {value}' for key, value in machine.items()))
    rows = []
    for name in args.only or BENCHMARKS:
        rows += BENCHMARKS[name](args)
        print(f'{name}: done', flush=True)
    show(rows)
    if args.out:
        args.out.write_text(json.dumps({'machine': machine, 'rows': rows}, indent=2) + '\n')


def processor() -> str:
    """The processor's name."""
    path = Path('/proc/cpuinfo')
    lines = path.read_text().splitlines() if path.is_file() else []
    names = [line.split(':', 1)[1].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor()


if __name__ == '__main__':
    main()
