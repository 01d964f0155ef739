"""A whole run: find the data, plan, run what is not finished, tell the figures."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prettytable import PrettyTable
from rich.console import Console

from mmppc.datasets.voc import voc_palette
from mmppc.pipeline.definition import Pipeline, read_pipeline
from mmppc.pipeline.execute import as_finished, chosen_steps, execute
from mmppc.pipeline.folder_lock import folder_lock, lock_holder
from mmppc.pipeline.manifest import read_manifest
from mmppc.pipeline.own_data import DataFiles, check_path, find_data
from mmppc.pipeline.plan import Step, make_plan
from mmppc.pipeline.progress import StageBars
from mmppc.storage.atomic import atomic_write
from mmppc.utils.places import project_folder

RECORD = 'pipeline.json'
LOCK = 'lock'


@dataclass(frozen=True)
class RunOptions:
    """What the command line says about a run.

    Attributes:
        config: File of the pipeline.
        work_dir: Where everything goes.
        data: ``root``, ``pictures``, ``masks``, ``tags``, ``classes``, ``train_list``, ``val_list``; see
            :func:`~mmppc.pipeline.own_data.find_data`.
        options: Settings to override; see :func:`~mmppc.pipeline.definition.read_pipeline`.
        gpus: Processes of trainings and tests.
        seed: Of everything random; None for what the configs say.
        iters: Iterations of every training; None for what the configs say.
        first: First stage to run; None for the first of all.
        last: Last stage to run; None for the last of all.
    """

    config: Path
    work_dir: Path
    data: Mapping[str, Path | None] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    gpus: int = 1
    seed: int | None = None
    iters: int | None = None
    first: str | None = None
    last: str | None = None


def prepare(
    options: RunOptions, scratch: Path | None = None
) -> tuple[Pipeline, DataFiles, list[Step]]:
    """Read the pipeline, find the data, and plan.

    Args:
        options: What to run, on what, where.
        scratch: Where lists, classes and a toy set go that have to be made; by default the work folder, and for the toy
            set the place that the pipeline names.
    """
    pipeline = read_pipeline(options.config, options.options)
    check_path(options.work_dir)
    settings = dict(pipeline.data)
    if isinstance(settings.get('root'), str):
        settings['root'] = settings['root'].replace('{work_dir}', str(options.work_dir))
    data = find_data(
        settings,
        options.data,
        (scratch or options.work_dir) / 'data',
        work_dir=options.work_dir,
        toy_folder=scratch and scratch / 'toy',
    )
    steps = make_plan(pipeline, data, options.work_dir, seed=options.seed, iters=options.iters)
    return pipeline, data, steps


def describe_plan(steps: list[Step], chosen: list[Step]) -> PrettyTable:
    """The stages, what would be done for each, and why."""
    table = PrettyTable(['stage', 'what', 'state', 'why', 'to do'])
    table.align = 'l'
    table.max_width['why'] = 70
    verbs = {'finished': '-', 'new': 'run', 'resume': 'continue', 'stale': 'run again'}
    names = {step.stage.name for step in chosen}
    for step in steps:
        todo = verbs[step.state] if step.stage.name in names else '-'
        table.add_row([step.stage.name, step.stage.title, step.state, step.reason, todo])
    return table


def show_plan(options: RunOptions, console: Console | None = None) -> list[Step]:
    """Tell what would be done for each stage, and why. Only read, also while a run is at work; nothing is left behind.

    Args:
        options: What would be run.
        console: Where to tell it; None for the standard output.
    """
    console = console or Console(soft_wrap=True, highlight=False)
    with tempfile.TemporaryDirectory(prefix='mmppc-') as scratch:
        _, data, steps = prepare(options, Path(scratch).resolve())
    chosen = chosen_steps(steps, options.first, options.last, options.gpus)
    for made in data.made:
        console.print(f'to be made from the folder and its tags: {made}', markup=False)
    console.print(describe_plan(steps, chosen).get_string(), markup=False)
    holder = lock_holder(options.work_dir / LOCK)
    if holder is not None:
        console.print(
            f'{holder} is at work in {options.work_dir}: its stage is shown as interrupted',
            markup=False,
        )
    return steps


def run_pipeline(options: RunOptions) -> dict[str, dict[str, Any]]:
    """Run the stages that are not finished; the manifests of all that are.

    Raises:
        BlockingIOError: Another process works in the work folder.
        ChildProcessError: A stage failed.
        FileNotFoundError: Data, or something that a stage should have made, are missing.
        ValueError: The pipeline, the data or the choice of stages is not as it should be.
    """
    console = Console(soft_wrap=True, highlight=False)
    with folder_lock(options.work_dir / LOCK, str(options.work_dir)) as lock:
        pipeline, data, steps = prepare(options)
        chosen = chosen_steps(steps, options.first, options.last, options.gpus)
        for made in data.made:
            place = options.work_dir / 'data'
            console.print(f'made from the folder and its tags, in {place}: {made}', markup=False)
        _record(options, pipeline, data, steps)
        names = [step.stage.name for step in chosen]
        finished = sum(step.state == 'finished' for step in chosen)
        with StageBars(len(chosen), finished, console=console) as bars:
            for name in names:
                step = next(step for step in steps if step.stage.name == name)
                if step.state == 'finished':
                    bars.say(f'{step.stage.title}: finished before')
                    continue
                if step.state != 'new':
                    bars.say(f'{step.stage.title}: {step.state}, {step.reason}')
                execute(
                    pipeline,
                    steps,
                    step,
                    bars.run,
                    tools=project_folder() / 'tools',
                    work_dir=options.work_dir,
                    gpus=options.gpus,
                    pass_fds=lock,
                )
                steps = as_finished(steps, step)
    return _manifests(steps)


def _manifests(steps: list[Step]) -> dict[str, dict[str, Any]]:
    """The manifests of the finished stages."""
    found = {
        step.stage.name: read_manifest(step.folder) for step in steps if step.state == 'finished'
    }
    return {name: manifest for name, manifest in found.items() if manifest is not None}


def _record(options: RunOptions, pipeline: Pipeline, data: DataFiles, steps: list[Step]) -> None:
    """Write ``pipeline.json``, which tells a report what there is."""
    content = {
        'name': pipeline.name,
        'config': str(pipeline.path),
        'stages': [step.stage.name for step in steps],
        'seed': options.seed,
        'data': _data_record(data, steps),
    }
    with atomic_write(options.work_dir / RECORD, 'w') as file:
        json.dump(content, file, indent=1, ensure_ascii=False)


def _data_record(data: DataFiles, steps: list[Step]) -> dict[str, Any]:
    """Where the data are, with the classes of the configs where no file names them."""
    record = data.record()
    if record['classes'] is None:
        for step in steps:
            dataset = step.cfg.test_dataloader.dataset
            names = (dataset.get('metainfo') or {}).get('classes')
            if names is not None:
                record['classes'] = list(names)
                record['palette'] = [list(colour) for colour in voc_palette(len(names))]
                break
    return record


def figures_table(manifests: Mapping[str, Mapping[str, Any]]) -> PrettyTable:
    """All figures with their conditions."""
    table = PrettyTable(['stage', 'figure', 'value (%)', 'split', 'conditions'])
    table.align = 'l'
    for name, manifest in manifests.items():
        for figure in manifest.get('figures', []):
            value = f'{figure["value"]:.1f}'
            table.add_row([name, figure['name'], value, figure['split'], figure['conditions']])
    return table
