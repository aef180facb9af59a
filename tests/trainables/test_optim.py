"""Checks parameter groups and learning rates against torch's own."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from trainables.optim import build_lr_schedule, build_optimizer, lr_at
from trainables.train_config import LR_SCHEDULES, OPTIMIZERS, TrainConfig

STEPS = 10  # per epoch


def config(**settings: object) -> TrainConfig:
    return TrainConfig(**{"epochs": 8, "lr": 0.02, **settings})


def ours(**settings: object) -> list[float]:
    chosen = config(**settings)
    return [lr_at(chosen, step, STEPS) for step in range(chosen.epochs * STEPS)]


def torchs(build: object, steps: int = 80) -> list[float]:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.02)
    schedule = build(optimizer)
    values = []
    for _ in range(steps):
        values.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    return values


def test_cosine_is_torchs() -> None:
    expected = torchs(lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=80, eta_min=0.001))
    assert ours(lr_schedule="cosine", min_lr=0.001) == pytest.approx(expected)


def test_onecycle_is_torchs() -> None:
    expected = torchs(lambda o: lr_scheduler.OneCycleLR(o, max_lr=0.02, total_steps=80, final_div_factor=1e4))
    assert ours(lr_schedule="onecycle", min_lr=0.02 / 25 / 1e4) == pytest.approx(expected)


def test_onecycle_rises_for_as_long_as_the_warmup_where_one_is_given() -> None:
    expected = torchs(lambda o: lr_scheduler.OneCycleLR(o, 0.02, total_steps=80, pct_start=0.25, final_div_factor=1e9))
    assert ours(lr_schedule="onecycle", warmup_epochs=2.0) == pytest.approx(expected, abs=1e-9)


def test_linear_is_torchs() -> None:
    expected = torchs(lambda o: lr_scheduler.LinearLR(o, start_factor=1.0, end_factor=0.1, total_iters=80))
    assert ours(lr_schedule="linear", min_lr=0.002) == pytest.approx(expected)


def test_poly_is_torchs() -> None:
    expected = torchs(lambda o: lr_scheduler.PolynomialLR(o, total_iters=80, power=0.9))
    assert ours(lr_schedule="poly") == pytest.approx(expected)


def test_step_is_torchs() -> None:
    expected = torchs(lambda o: lr_scheduler.StepLR(o, step_size=30, gamma=0.3))
    assert ours(lr_schedule="step", step_epochs=3, step_factor=0.3) == pytest.approx(expected)


def test_warmup_is_torchs_linear_one_followed_by_the_schedule() -> None:
    expected = torchs(
        lambda o: lr_scheduler.SequentialLR(
            o,
            [
                lr_scheduler.LinearLR(o, start_factor=1 / 20, end_factor=1.0, total_iters=19),
                lr_scheduler.CosineAnnealingLR(o, T_max=60),
            ],
            milestones=[20],
        )
    )
    assert ours(lr_schedule="cosine", warmup_epochs=2.0) == pytest.approx(expected)


@pytest.mark.parametrize("schedule", LR_SCHEDULES)
@pytest.mark.parametrize("warmup_epochs", [0.0, 0.05, 0.25, 2.5, 8.0, 100.0])
def test_no_learning_rate_leaves_its_bounds(schedule: str, warmup_epochs: float) -> None:
    values = ours(lr_schedule=schedule, warmup_epochs=warmup_epochs, min_lr=1e-4)
    assert all(1e-4 - 1e-12 <= value <= 0.02 + 1e-12 for value in values)
    assert max(values) > 0.018


@pytest.mark.parametrize("schedule", LR_SCHEDULES)
def test_a_run_of_a_single_step_learns(schedule: str) -> None:
    assert lr_at(config(epochs=1, lr_schedule=schedule), 0, 1) == pytest.approx(0.02)


def test_a_min_lr_above_lr_does_not_raise_it() -> None:
    assert ours(lr_schedule="cosine", min_lr=1.0) == pytest.approx([0.02] * 80)


def test_the_schedule_sets_the_optimizer() -> None:
    chosen = config(lr_schedule="cosine", warmup_epochs=1.0)
    optimizer = build_optimizer(nn.Linear(2, 2), chosen)
    schedule = build_lr_schedule(optimizer, chosen, STEPS)
    for step in range(80):
        assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([lr_at(chosen, step, STEPS)] * 2)
        optimizer.step()
        schedule.step()


def test_sgd_without_momentum_is_plain_gradient_descent() -> None:
    model = nn.Linear(1, 1, bias=False)
    before = float(model.weight.detach())
    optimizer = build_optimizer(model, config(optimizer="sgd", momentum=0.0, weight_decay=0.0))
    model(torch.ones(1, 1)).sum().backward()
    optimizer.step()
    assert float(model.weight.detach()) == pytest.approx(before - 0.02)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.linear = nn.Linear(4, 2)


def test_norms_and_biases_have_no_weight_decay() -> None:
    model = Net()
    optimizer = build_optimizer(model, config(weight_decay=0.3))
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    decayed = {name for name, p in model.named_parameters() if decay[id(p)] == 0.3}
    assert decayed == {"conv.weight", "linear.weight"}
    assert {decay[id(p)] for name, p in model.named_parameters() if name not in decayed} == {0.0}


def test_adamw_steps_as_torchs_with_the_same_groups() -> None:
    torch.manual_seed(0)
    model, reference = Net(), Net()
    reference.load_state_dict(model.state_dict())
    optimizer = build_optimizer(model, config(weight_decay=0.1, momentum=0.8))
    kernels = [reference.conv.weight, reference.linear.weight]
    others = [p for p in reference.parameters() if all(p is not k for k in kernels)]
    groups = [{"params": kernels, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    expected = torch.optim.AdamW(groups, lr=0.02, betas=(0.8, 0.999))
    for _ in range(5):
        for net, opt in ((model, optimizer), (reference, expected)):
            opt.zero_grad()
            net.linear(net.norm(net.conv(torch.ones(2, 3, 5, 5))).mean((2, 3))).square().sum().backward()
            opt.step()
    for a, b in zip(model.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(a, b)


class NetWithItsOwn(Net):
    own_weight_decay = {"linear.weight": 0.5}


@pytest.mark.parametrize("weight_decay", [0.3, 0.0])
def test_a_model_names_parameters_with_a_decay_of_their_own(weight_decay: float) -> None:
    model = NetWithItsOwn()
    optimizer = build_optimizer(model, config(weight_decay=weight_decay))
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert len(decay) == sum(len(group["params"]) for group in optimizer.param_groups) == 6
    assert {name: decay[id(p)] for name, p in model.named_parameters() if decay[id(p)]} == {
        name: value for name, value in {"conv.weight": weight_decay, "linear.weight": 0.5}.items() if value
    }


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("adamw", torch.optim.AdamW),
        ("adam", torch.optim.Adam),
        ("radam", torch.optim.RAdam),
        ("sgd", lambda groups, lr: torch.optim.SGD(groups, lr, momentum=0.9, nesterov=True)),
    ],
)
def test_a_decay_of_its_own_is_what_torch_makes_of_it(name: str, reference: object) -> None:
    torch.manual_seed(0)
    model, twin = NetWithItsOwn(), Net()
    twin.load_state_dict(model.state_dict())
    optimizer = build_optimizer(model, config(optimizer=name, weight_decay=0.1))
    apart = [twin.conv.weight, twin.linear.weight]
    others = [p for p in twin.parameters() if all(p is not known for known in apart)]
    decays = zip(([apart[0]], [apart[1]], others), (0.1, 0.5, 0.0), strict=True)
    expected = reference([{"params": params, "weight_decay": decay} for params, decay in decays], lr=0.02)
    for _ in range(5):
        for net, opt in ((model, optimizer), (twin, expected)):
            opt.zero_grad()
            net.linear(net.norm(net.conv(torch.ones(2, 3, 5, 5))).mean((2, 3))).square().sum().backward()
            opt.step()
    for a, b in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("name", ["adamw", "nadamw", "lion"])
def test_where_decay_is_decoupled_it_shrinks_a_weight_that_has_no_gradient(name: str) -> None:
    model = nn.Linear(1, 1, bias=False)
    before = float(model.weight.detach())
    optimizer = build_optimizer(model, config(optimizer=name, weight_decay=0.5))
    (0 * model(torch.ones(1, 1))).sum().backward()
    optimizer.step()
    assert float(model.weight.detach()) == pytest.approx(before * (1 - 0.02 * 0.5))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_of_the_config_takes_a_step(name: str) -> None:
    torch.manual_seed(0)
    model = nn.Linear(3, 1)
    before = model.weight.detach().clone()
    optimizer = build_optimizer(model, config(optimizer=name))
    model(torch.ones(2, 3)).sum().backward()
    optimizer.step()
    assert not torch.equal(model.weight, before)
    assert optimizer.param_groups[0]["lr"] == 0.02
