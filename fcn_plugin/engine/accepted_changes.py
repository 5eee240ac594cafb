"""Going on with settings of the config in place of those of the checkpoint."""

from __future__ import annotations

from mmengine.optim import OptimWrapper, OptimWrapperDict, _ParamScheduler
from mmengine.runner import Runner

from .hooks.resume_hook import all_schedulers


class Settings:
    """The seed and the rates that a runner has of its config, kept while it loads a checkpoint that has others.

    Args:
        runner (Runner): about to train, with no checkpoint loaded.
    """

    def __init__(self, runner: Runner) -> None:
        self.seed = runner.seed
        self.groups = [
            [_initial(group) for group in wrapper.optimizer.param_groups] for wrapper in _wrappers(runner.optim_wrapper)
        ]

    def use_seed(self, runner: Runner) -> None:
        """Go on with the seed of the config."""
        runner._randomness_cfg.update(seed=self.seed)
        runner.set_randomness(**runner._randomness_cfg)

    def use_rates(self, runner: Runner) -> None:
        """Go on with the config's settings of the optimizers, whose state stays, and with its schedule.

        The schedule is where it would be if the training had followed it from the beginning.
        """
        for wrapper, groups in zip(_wrappers(runner.optim_wrapper), self.groups):
            for group, values in zip(wrapper.optimizer.param_groups, groups):
                for key in [key for key in group if key.startswith("initial_")]:
                    del group[key]
                group.update(values)
        if not runner.cfg.get("param_scheduler"):
            return
        runner.param_schedulers = runner.build_param_scheduler(runner.cfg.param_scheduler)
        schedulers = all_schedulers(runner)
        epoch = 0
        for iteration in range(1, runner.iter + 1):
            _step([scheduler for scheduler in schedulers if not scheduler.by_epoch])
            if iteration * runner.epoch // runner.iter > epoch:
                epoch += 1
                _step([scheduler for scheduler in schedulers if scheduler.by_epoch])


def _initial(group: dict) -> dict:
    """The settings of a group of parameters as they were before a schedule changed them."""
    values = {key: value for key, value in group.items() if key != "params"}
    initial = {key: values.pop(key) for key in list(values) if key.startswith("initial_")}
    return {**values, **{key.removeprefix("initial_"): value for key, value in initial.items()}}


def _step(schedulers: list[_ParamScheduler]) -> None:
    for scheduler in schedulers:
        scheduler.optimizer._global_step = max(scheduler.optimizer._global_step, 0)  # as after a step of the optimizer
        scheduler.step()


def _wrappers(wrapper: OptimWrapper | OptimWrapperDict) -> list[OptimWrapper]:
    return list(wrapper.values()) if isinstance(wrapper, OptimWrapperDict) else [wrapper]
