"""Is what a command or a Python block of the docs names really there? Nothing is run here."""

import argparse
import ast
import contextlib
import importlib
import importlib.util
import inspect
import io
import re
import sys
from pathlib import Path
from unittest import mock

import torch
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.runner import Runner
from mmseg.registry import (
    DATA_SAMPLERS,
    DATASETS,
    HOOKS,
    LOOPS,
    METRICS,
    MODELS,
    OPTIM_WRAPPERS,
    OPTIMIZERS,
    PARAM_SCHEDULERS,
    TRANSFORMS,
    VISBACKENDS,
    VISUALIZERS,
)

from mmppc.utils.config_file import read_config
from tests.docs.blocks import ROOT, working_in

REGISTRIES = (
    MODELS, DATASETS, TRANSFORMS, METRICS, HOOKS, LOOPS, DATA_SAMPLERS, OPTIMIZERS, OPTIM_WRAPPERS,
    PARAM_SCHEDULERS, VISBACKENDS, VISUALIZERS,
)  # fmt: skip
# Commands that are not ours; what follows them is not checked, but for paths of this repository.
FOREIGN = {
    'apt-get', 'cd', 'docker', 'export', 'git', 'ls', 'mkdir', 'mkdocs', 'sbatch', 'tar', 'tensorboard', 'time',
    'unzip', 'wandb', 'wget',
}  # fmt: skip
OUR_PATH = re.compile(r'(?:configs|docs|mmppc|mmppc_cli|tests|tools|zoo|\.ci)/[\w./*{},-]+')
PLACEHOLDER = re.compile(r'\b(?!README|CHANGELOG)[A-Z]{2,}[A-Z_]*|\{[^}]*\}|<[^>]*>')
# Settings of MMEngine that a config need not have, and who takes them.
RUNNER_SETTINGS = {'find_unused_parameters', 'sync_bn', 'load_from'}
SECTIONS = {'env_cfg.dist_cfg': torch.distributed.init_process_group}


def command_problems(command):
    """What is wrong with a command, as texts."""
    problems = [f'no such file: {path}' for path in missing_paths(' '.join(command.words))]
    problems += _variable_problems(command)
    if problems:
        return problems
    words = list(command.words)
    head = words[0]
    if head == 'mmppc':
        return _mmppc_problems(words[1:])
    if head in ('python', 'torchrun', 'srun') or words[:2] in (
        ['bash', 'tools/dist_train.sh'],
        ['bash', 'tools/dist_test.sh'],
    ):
        return _script_problems(words)
    if head == 'pip':
        return _pip_problems(words)
    if head == 'make':
        return [
            f'no such target: {word}' for word in words[1:] if '=' not in word and not _target(word)
        ]
    if head == 'nox':
        text = (ROOT / 'noxfile.py').read_text(encoding='utf-8')
        sessions = [word for word in words[1:] if not word.startswith('-')]
        return [f'no such session: {name}' for name in sessions if f'def {name}(' not in text]
    if head == 'bash' or head == 'pytest' or head in FOREIGN:
        return []
    return [f'unknown command: {head}']


def missing_paths(text):
    """Paths of this repository that ``text`` names and that are not there; capitals and braces stand for anything."""
    missing = []
    for found in OUR_PATH.finditer(text):
        path = found[0].rstrip('.,')
        if found.start() and text[found.start() - 1] in '/_.-{':
            continue  # a part of a longer path, as work_dirs/configs/
        pattern = PLACEHOLDER.sub('*', path)
        if not any(ROOT.glob(pattern.rstrip('/'))):
            missing.append(path)
    return missing


def _variable_problems(command):
    known = ''.join(
        path.read_text(encoding='utf-8')
        for path in [
            *ROOT.glob('tools/*.sh'),
            *ROOT.glob('mmppc/**/*.py'),
            *ROOT.glob('configs/ablations/*.py'),
            *ROOT.glob('configs/_base_/**/*.py'),
        ]
    )
    # Of CUDA, OpenMP, NCCL and mmcv.
    others = {'CUDA_VISIBLE_DEVICES', 'OMP_NUM_THREADS', 'MMCV_WITH_OPS', 'MAX_JOBS'}
    names = set(command.variables) - others
    return [f'nothing reads the variable {name}' for name in names if name not in known]


def _target(name):
    return re.search(rf'^{name}:', (ROOT / 'Makefile').read_text(encoding='utf-8'), re.MULTILINE)


def _pip_problems(words):
    given = {}
    with mock.patch('setuptools.setup', given.update), working_in(ROOT):
        spec = importlib.util.spec_from_file_location('setup_of_mmppc', ROOT / 'setup.py')
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    named = re.findall(r'(?:^|\s)(?:\.|mmppc)\[([\w,]+)\]', ' '.join(words))
    extras = [name for group in named for name in group.split(',')]
    return [f'no such extra: {name}' for name in extras if name not in given['extras_require']]


def _mmppc_problems(arguments):
    from mmppc_cli.main import COMMANDS, build_parser

    if arguments[0].startswith('-'):
        return []
    if arguments[0] not in COMMANDS:
        return [f'no such subcommand: {arguments[0]}']
    parser = build_parser(arguments[0])
    namespace, problems = _parsed(lambda: parser.parse_args(arguments))
    if arguments[0] == 'run' and namespace is not None and not PLACEHOLDER.search(namespace.config):
        from mmppc.utils.places import find_pipeline

        try:
            find_pipeline(namespace.config)
        except (FileNotFoundError, ValueError) as error:
            problems.append(str(error))
    return problems


def _script_problems(words):
    """Of ``python tools/x.py``, ``bash tools/dist_x.sh CONFIG ... N``, ``torchrun ... tools/x.py``."""
    if words[0] == 'bash':
        fixed = 2 if 'dist_train' in words[1] else 3
        name = words[1].replace('dist_', '').replace('.sh', '.py')
        script, arguments = name, [*words[2 : 1 + fixed], *words[2 + fixed :]]
    else:
        place = next((k for k, word in enumerate(words) if word.endswith('.py')), None)
        if place is None:
            known = words[:3] in (['python', '-m', 'pytest'], ['python', '-m', 'venv'])
            return [] if known else [f'not a script of this repository: {" ".join(words)}']
        script, arguments = words[place], words[place + 1 :]
    module = load_script(script)
    entry = getattr(module, 'parse_args', None) or module.main
    with mock.patch.object(sys, 'argv', [script, *arguments]):
        namespace, problems = _parsed(entry)
    if namespace is None:
        return problems
    config = getattr(namespace, 'config', None)
    options = getattr(namespace, 'cfg_options', None) or {}
    for path in sorted(ROOT.glob(PLACEHOLDER.sub('*', str(config)))) if config else []:
        if path.is_file() and script.endswith(('train.py', 'test.py', 'make_masks.py')):
            unknown = unknown_settings(read_config(str(path)), options)
            return [f'{path.name} has no setting {key}' for key in unknown]
    return problems


def load_script(path):
    """A script of this repository as a module."""
    file = ROOT / path
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


class _Parsed(BaseException):
    """Ends a tool once its arguments are parsed."""


def _parsed(call):
    """Arguments as the parser that ``call`` uses understands them, and what it says against them."""
    original = argparse.ArgumentParser.parse_args

    def stop(self, *arguments, **others):
        raise _Parsed(original(self, *arguments, **others))

    messages = io.StringIO()
    try:
        with (
            mock.patch.object(argparse.ArgumentParser, 'parse_args', stop),
            contextlib.redirect_stderr(messages),
        ):
            call()
    except _Parsed as parsed:
        return parsed.args[0], []
    except SystemExit:
        return None, [messages.getvalue().strip().splitlines()[-1]]
    raise AssertionError('nothing was parsed')


def unknown_settings(cfg, options):
    """Keys of ``--cfg-options`` that neither the config has nor a class of it takes."""
    return [key for key in options if not _is_setting(cfg, key)]


def _is_setting(cfg, key):
    segmentor = find_type(cfg.model.type) if cfg.get('model') else None
    node = dict(cfg._cfg_dict)
    defaults = getattr(sys.modules.get(getattr(segmentor, '__module__', '')), 'TEST_DEFAULTS', None)
    if defaults is not None and key.startswith('model.test_cfg.'):
        return _is_setting_of(defaults, key.removeprefix('model.test_cfg.')) or _is_setting_of(
            node, key
        )
    return _is_setting_of(node, key)


def _is_setting_of(node, key):
    parts = key.split('.')
    for depth, part in enumerate(parts):
        if isinstance(node, (list, tuple)):
            if not part.isdigit() or int(part) >= len(node):
                return False
            node = node[int(part)]
        elif isinstance(node, dict) or hasattr(node, 'get'):
            if part not in node:
                section = '.'.join(parts[:depth])
                return depth == len(parts) - 1 and _takes(node, section, part)
            node = node[part]
        else:
            return False
    return True


def _takes(node, section, name):
    """Whether the class or function that gets these settings has an argument of that name."""
    if not section:
        return name in RUNNER_SETTINGS or name in inspect.signature(Runner).parameters
    if section in SECTIONS:
        return name in inspect.signature(SECTIONS[section]).parameters
    kind = find_type(node.get('type')) if node.get('type') else None
    if kind is None:
        return False
    classes = inspect.getmro(kind) if inspect.isclass(kind) else [kind]
    return any(name in inspect.signature(item).parameters for item in classes if item is not object)


def find_type(name):
    """What a config's ``type`` stands for; None if nothing is registered under it."""
    if not isinstance(name, str):
        return name
    for registry in (*REGISTRIES, ROOT_MODELS):
        found = registry.get(name)
        if found is not None:
            return found
    return None


def python_problems(block):
    """Imports of mmppc that do not exist, and ``type='...'`` that nothing is registered under."""
    try:
        tree = ast.parse(block.text)
    except SyntaxError as error:
        # Signatures may be written down that are not meant to be run.
        return [] if block.state == 'not run' else [f'not Python: {error}']
    problems = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or '').split('.')[0] == 'mmppc':
            module = importlib.import_module(node.module)
            names = [alias.name for alias in node.names]
            problems += [f'{node.module} has no {n}' for n in names if not hasattr(module, n)]
        elif isinstance(node, ast.keyword) and node.arg == 'type':
            name = getattr(node.value, 'value', None)
            if isinstance(name, str) and find_type(name) is None:
                problems.append(f'nothing is registered as {name!r}')
    return problems


def missing_names(text):
    """Dotted names of this package in inline code that lead nowhere."""
    missing = []
    for span in re.findall(r'`([^`\n]+)`', text):
        name = re.fullmatch(r'(mmppc(?:\.\w+)+)(?:\(.*)?', span)
        if name and Path(span).suffix != '.py' and not _resolves(name[1]):
            missing.append(name[1])
    return missing


def _resolves(name):
    parts = name.split('.')
    for length in range(len(parts), 0, -1):
        try:
            found = importlib.import_module('.'.join(parts[:length]))
        except ImportError:
            continue
        for part in parts[length:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False
