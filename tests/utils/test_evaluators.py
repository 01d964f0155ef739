"""Where the metrics of a test write, and under which conditions."""

from mmengine.config import Config

from mmppc.utils.evaluators import use_out_dir, use_reports
from tests.utils.shipped import read


def test_metrics_that_report_get_folder_conditions_and_split():
    cfg = read('cam_toy')
    cfg.test_evaluator[0].split = 'other'
    cfg.test_evaluator[0].conditions = dict(tta='given')
    use_reports(cfg, dict(tta=True, flip=True))
    seeds, tags = cfg.test_evaluator
    assert seeds.conditions == dict(tta='given', flip=True)
    assert tags.conditions == dict(tta=True, flip=True)
    assert seeds.out_dir == tags.out_dir == 'work'
    assert seeds.split == tags.split == 'other'

    cfg = read('deeplab-largefov_resnet38_toy')
    use_reports(cfg, dict(tta=False))
    assert cfg.test_evaluator.split == 'val'
    assert cfg.test_evaluator.out_dir == 'work'
    assert cfg.test_evaluator.conditions == dict(tta=False)

    cfg = Config(dict(work_dir='work', test_evaluator=dict(type='IoUMetric')))
    use_reports(cfg, dict(tta=False))
    assert cfg.test_evaluator == dict(type='IoUMetric')


def test_predictions_are_written_whatever_the_metrics():
    cfg = read('deeplab-largefov_resnet38_toy')
    use_out_dir(cfg, 'out')
    assert cfg.test_evaluator.output_dir == 'out'
    cfg = read('cam_toy')
    use_out_dir(cfg, 'out')
    assert [item.type for item in cfg.test_evaluator] == ['SeedMetric', 'TagMetric', 'MaskMetric']
    assert cfg.test_evaluator[-1].output_dir == 'out'
    assert cfg.test_evaluator[-1].format_only
