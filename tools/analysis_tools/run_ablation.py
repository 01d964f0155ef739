"""Run rows of the paper's Tables 5, 6 and 7, or of a further study, for several seeds; compare them, print the tables.

Each row is a config of configs/ablations on VOC, the toy set or a laptop's folder. What is finished is skipped, what
was interrupted goes on, what has another config or other data than before is done again. Runs are in
<work-dir>/<dataset>/<config>/seed<k>, which all tables share; other --cfg-options want another --work-dir and --out.

Example: run_ablation.py --table 5 --dataset toy --seeds 0 1 2 --jobs 2
"""

import argparse
import os
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


from mmppc.pipeline import ablation, ablation_records, ablation_table
from mmppc.pipeline.ablation_data import data_digest
from mmppc.pipeline.ablation_jobs import run_jobs
from mmppc.pipeline.ablation_plot import plot_svg
from mmppc.pipeline.ablation_rows import DATASETS, TABLES, Table, choose_rows, table_on
from mmppc.pipeline.folder_lock import folder_lock
from mmppc.pipeline.gpu_shares import GPUShares, visible_gpus
from mmppc.pipeline.progress import StageBars
from mmppc.storage.atomic import atomic_write
from mmppc.utils.config_file import ConfigOptions
from mmppc.utils.user_errors import user_errors

END = ' (the last of the sweep: seeds may be better beyond it)'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--table', required=True, choices=list(TABLES), help='a table of the paper or a study'
    )
    parser.add_argument('--dataset', required=True, choices=DATASETS)
    parser.add_argument('--seeds', type=int, nargs='+', default=[0])
    parser.add_argument(
        '--jobs',
        type=int,
        default=1,
        metavar='N',
        help='runs at once, each on a GPU of its own if there are several (default: 1)',
    )
    parser.add_argument('--rows', nargs='+', metavar='ROW', help='some rows (default: all)')
    parser.add_argument(
        '--reference',
        metavar='ROW',
        help='the row to compare with (default: SEAM in tables 5 and 6)',
    )
    parser.add_argument(
        '--data-root', type=Path, help="the data (default: the config's, or drawn when missing)"
    )
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/ablations'))
    parser.add_argument(
        '--out', type=Path, help='folder of the tables and of their runs as CSV (default: work-dir)'
    )
    parser.add_argument(
        '--keep-checkpoints',
        choices=['last', 'off'],
        default='last',
        help='what is kept of a finished run: its last checkpoint (default) or none',
    )
    parser.add_argument('--keep-seeds', action='store_true', help='keep the seeds of finished runs')
    parser.add_argument(
        '--single-scale',
        action='store_true',
        help='test at the scale of the config, without mirror images (default: with --tta)',
    )
    parser.add_argument(
        '--fixed-threshold',
        type=float,
        default=0.26,
        metavar='T',
        help='record everything at this background threshold too (default: 0.26, as published)',
    )
    parser.add_argument('--dry-run', action='store_true', help='say what would be done, do nothing')
    parser.add_argument('--cfg-options', nargs='+', action=ConfigOptions, metavar='KEY=VALUE')
    return parser.parse_args()


class Tables:
    """The files of a table, made of what earlier starts recorded and of the runs that are finished now.

    Others may write to them at the same time, with other seeds for instance.
    """

    def __init__(
        self, args: argparse.Namespace, table: Table, out: Path, runs: list[ablation.Run]
    ) -> None:
        self.table, self.dataset, self.runs = table, args.dataset, runs
        self.fixed_threshold = args.fixed_threshold
        self.stem = out / f'{table.stem}_{args.dataset}'
        self.order = [row.config for row in table.rows]
        self.digests = {run.row.config: run.digest for run in runs}
        try:
            self.data_digests = {run.row.config: data_digest(run.cfg) for run in runs}
        except FileNotFoundError:
            self.data_digests = None
        former, kept = self.former()
        if len(former) > len(kept):
            print(
                f'{self.file("_runs.csv").name}: {len(former) - len(kept)} run(s) of another config, other data or '
                'another fixed threshold are left out'
            )

    def former(self) -> tuple[list[ablation_records.Record], list[ablation_records.Record]]:
        """What is on record: all, and what holds of it."""
        records = ablation_records.read_records(self.file('_runs.csv'))
        kept = [
            line
            for line in records
            if ablation_records.holds(line, self.digests, self.fixed_threshold, self.data_digests)
        ]
        return records, kept

    def file(self, suffix: str) -> Path:
        """One of the table's files."""
        return self.stem.with_name(self.stem.name + suffix)

    def records(self) -> tuple[list[ablation_records.Record], list[ablation_records.Record]]:
        """All records of runs, and of their classes."""
        _, former = self.former()
        known = {(line['config'], line['seed']) for line in former}
        former_classes = [
            line
            for line in ablation_records.read_records(
                self.file('_classes.csv'), ablation_records.CLASS_FIELDS
            )
            if (line['config'], line['seed']) in known
        ]
        new, classes = [], []
        for run in self.runs:
            if ablation.plan(run)[0] == 'finished':
                record, of_classes = ablation_records.record_run(run, self.fixed_threshold)
                new.append(record)
                classes += of_classes
        return (
            ablation_records.merge_records(former, new, self.order),
            ablation_records.merge_records(former_classes, classes, self.order),
        )

    def write_records(
        self,
    ) -> tuple[list[ablation_records.Record], list[ablation_records.Record]]:
        """Bring both files of records up to date; what they hold then."""
        lock = self.stem.with_name(f'.{self.stem.name}.lock')
        with folder_lock(lock, str(self.file('_runs.csv')), patience=60):
            records, classes = self.records()
            ablation_records.write_records(self.file('_runs.csv'), records)
            ablation_records.write_records(
                self.file('_classes.csv'), classes, ablation_records.CLASS_FIELDS
            )
        return records, classes

    def show(self, *, write: bool) -> None:
        """Print the tables, and write everything if told so."""
        records, classes = self.write_records() if write else self.records()
        parts = [
            ablation_table.caption(self.table, self.dataset, records),
            ablation_table.miou_table(self.table, records),
            ablation_table.rate_table(self.table, records),
        ]
        markdown = '\n\n'.join(parts) + '\n'
        print(f'\n{markdown}')
        if not write:
            return
        contents = {
            '.md': markdown,
            '_classes.md': ablation_table.class_tables(self.table, classes) + '\n',
            '.csv': ablation_table.summary_csv(self.table, records),
            '.svg': plot_svg(self.table, self.dataset, records),
        }
        for suffix, content in contents.items():
            with atomic_write(self.file(suffix), 'w') as file:
                file.write(content)
        suffixes = ', '.join(('_runs.csv', '_classes.csv', *contents))
        print(f'written: {self.stem}{{{suffixes}}}')


def run_all(args: argparse.Namespace, runs: list[ablation.Run], tables: Tables) -> list[str]:
    """Do what is to be done, ``--jobs`` at once; one line about each run that failed."""
    failed: list[str] = []
    keep = args.keep_checkpoints == 'last'
    if args.jobs > 1:
        threads = max((os.cpu_count() or 1) // args.jobs, 1)
        os.environ.setdefault('OMP_NUM_THREADS', str(threads))
    shares = GPUShares(args.jobs, visible_gpus())
    with StageBars() as bars:

        def work(run: ablation.Run) -> None:
            with shares.lend() as variables:
                stage = partial(bars.run, variables=variables)
                ablation.execute(run, stage, keep_checkpoint=keep, keep_seeds=args.keep_seeds)

        for done, (run, error) in enumerate(run_jobs(runs, work, args.jobs), 1):
            place = f'{run.title} ({done} of {len(runs)} runs)'
            if error is None:
                record, _ = ablation_records.record_run(run, args.fixed_threshold)
                bars.say(
                    f'{place}: mIoU {record["train_miou"]} on train at {record["threshold"]:g}'
                    f'{END if ablation_records.ends_sweep(record) else ""}, {record["val_miou"]} on val'
                )
                tables.write_records()
            elif isinstance(error, Exception):
                bars.say(f'{place} failed: {error}')
                line = str(error).splitlines()[0]  # of a stage it begins with the run's title
                failed.append(line if run.title in line else f'{run.title}: {line}')
            else:
                raise error
    return failed


def main() -> None:
    args = parse_args()
    with user_errors():
        work = args.work_dir.resolve()
        table = table_on(TABLES[args.table], args.dataset)
        if args.reference:
            table = replace(table, reference=choose_rows(table, [args.reference])[0].key)
        data_root = args.data_root
        draw = DATASETS[args.dataset]
        if data_root is None and draw is not None:
            data_root = work / f'{args.dataset}_data'
            if not args.dry_run:
                draw(data_root)
        runs = [
            ablation.make_run(
                row,
                args.dataset,
                seed,
                work,
                data_root=data_root,
                options=args.cfg_options,
                single_scale=args.single_scale,
            )
            for seed in args.seeds
            for row in table.rows
        ]
        for run in runs:
            ablation_records.check_fixed_threshold(run, args.fixed_threshold)
        keys = [row.key for row in choose_rows(table, args.rows)]
        tables = Tables(args, table, args.out or work, runs)
        waiting = []
        for run in runs:
            if run.row.key in keys:
                action, reason = ablation.plan(run)
                print(f'{run.title}: {action} ({reason})', flush=True)
                if action != 'finished':
                    waiting.append(run)
        failed = []
        if waiting and not args.dry_run:
            try:
                failed = run_all(args, waiting, tables)
            except KeyboardInterrupt:
                print('stopped; started again, the same command goes on', file=sys.stderr)
                # At once: the threads still wait for their stages, which end with this process.
                sys.stdout.flush()
                os._exit(130)
        tables.show(write=not args.dry_run)
    if failed:
        lines = '\n  '.join(failed)
        print(f'error: {len(failed)} of {len(waiting)} runs failed\n  {lines}', file=sys.stderr)
        raise SystemExit(1)


if __name__ == '__main__':
    main()
