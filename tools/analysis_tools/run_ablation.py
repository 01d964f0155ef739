"""Run rows of the paper's Tables 5, 6 and 7 for several seeds, and print the table.

Each row is a config of configs/ablations on VOC, the toy set or a laptop's folder. What is finished is skipped, what
was interrupted goes on, what has another config or other data than before is done again. Runs are in
<work-dir>/<dataset>/<config>/seed<k>, which Tables 5 to 7 share; other --cfg-options want another --work-dir and --out.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


from mmppc.datasets.toy import draw_toy_set
from mmppc.pipeline import ablation
from mmppc.pipeline import ablation_table as table
from mmppc.pipeline.ablation_rows import DATASETS, TABLES, choose_rows
from mmppc.pipeline.progress import StageBars
from mmppc.storage.atomic import atomic_write
from mmppc.utils.runner import ConfigOptions, user_errors


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--table', type=int, required=True, choices=sorted(TABLES))
    parser.add_argument('--dataset', required=True, choices=DATASETS)
    parser.add_argument('--seeds', type=int, nargs='+', default=[0])
    parser.add_argument('--rows', nargs='+', metavar='ROW', help='some rows (default: all)')
    parser.add_argument(
        '--data-root', type=Path, help="the data (default: the config's; toy: drawn when missing)"
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
    parser.add_argument('--dry-run', action='store_true', help='say what would be done, do nothing')
    parser.add_argument('--cfg-options', nargs='+', action=ConfigOptions, metavar='KEY=VALUE')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    with user_errors():
        work = args.work_dir.resolve()
        data_root = args.data_root
        if data_root is None and args.dataset == 'toy':
            data_root = work / 'toy_data'
            if not args.dry_run:
                draw_toy_set(data_root)
        rows = choose_rows(args.table)
        runs = {
            (row.key, seed): ablation.make_run(
                row, args.dataset, seed, work, data_root=data_root, options=args.cfg_options
            )
            for seed in args.seeds
            for row in rows
        }
        digests = {run.row.config: run.digest for run in runs.values()}
        out, name = args.out or work, f'table{args.table}_{args.dataset}'
        former = table.read_records(out / f'{name}_runs.csv')
        stale = sum(digests.get(line['config']) != line['config_digest'] for line in former)
        if stale:
            print(f'{name}_runs.csv: {stale} run(s) of another config are left out')

        def records() -> list[table.Record]:
            done = [
                ablation.read_result(run)
                for run in runs.values()
                if ablation.plan(run)[0] == 'finished'
            ]
            return table.merge_records(former, done, digests)

        keys = [row.key for row in choose_rows(args.table, args.rows)]
        for (key, seed), run in runs.items():
            if key not in keys:
                continue
            action, reason = ablation.plan(run)
            print(f'{run.row.title}, seed {seed}: {action} ({reason})', flush=True)
            if not args.dry_run and action != 'finished':
                keep = args.keep_checkpoints == 'last'
                with StageBars() as bars:
                    ablation.execute(
                        run, bars.run, keep_checkpoint=keep, keep_seeds=args.keep_seeds
                    )
                table.write_records(out / f'{name}_runs.csv', records())
        found = records()
        markdown = f'{table.caption(args.dataset, found)}\n\n{table.markdown_table(rows, found)}\n'
        lines = table.csv_table(rows, found)
        print(f'\n{markdown}\n{lines}', end='')
        if not args.dry_run:
            table.write_records(out / f'{name}_runs.csv', found)
            for suffix, content in (('md', markdown), ('csv', lines)):
                with atomic_write(out / f'{name}.{suffix}', 'w') as file:
                    file.write(content)


if __name__ == '__main__':
    main()
