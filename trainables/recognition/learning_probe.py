"""Has a config memorise a few crops, and says whether learning rate, augmentation or labels prevent it.

A network that is blind to its pictures can still learn which characters stand where on average. Its loss cannot fall
below the entropy of that average; a loss below it proves that pictures and labels reach the network together.
"""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import torch

from trainables.engine import Learner
from trainables.one_step import build_learner, time_step
from trainables.optim import lr_at
from trainables.recognition.augment import Augment
from trainables.recognition.charset import Charset
from trainables.recognition.config import Config
from trainables.recognition.crnn import build_crnn
from trainables.recognition.dataset import Batch, Crop, CropDataset
from trainables.trainable import Finding

CROPS = 8  # to be memorised
STEPS = 400  # of each attempt, at most
SECONDS = 60.0  # of each attempt, at most
AVERAGED = 10  # steps that the loss is averaged over
SEES = 0.6  # share of the blind loss below which the network sees its pictures
SEES_AUGMENTED = 0.8  # the same share while every step shows the crops changed
FEWEST_NATS = 0.2  # of blind loss; with less, the texts are too alike to tell
OTHER_RATES = (10.0, 100.0, 0.1, 0.01)  # times the config's learning rate, tried where that learns nothing
HIGHEST_LR = 0.3


@dataclass(frozen=True)
class Outcome:
    """Says how an attempt to learn a few crops went.

    learnt: the loss fell below the bound. decided: there were enough steps to say so, or the loss is not finite.
    first, last: the loss at the beginning and, averaged, at the end.
    """

    learnt: bool
    decided: bool
    steps: int
    first: float
    last: float


def check_learning(crops: Sequence[Crop], charset: Charset, config: Config, steps_per_epoch: int) -> Iterator[Finding]:
    """Yields "one step" with the time of an epoch of the real batch size, then "learning" and "augmentation"."""
    chosen = distinct(crops)
    bound = blind_loss([charset.encode_known(crop.text) for crop in chosen])
    yield _time_epoch(crops, charset, config, steps_per_epoch)
    if bound < FEWEST_NATS:
        yield Finding("learning", f"not tried: the first {len(chosen)} texts are too alike to tell")
        return
    plain = learn(chosen, charset, config, None, SEES * bound)
    learning = _judge_learning(plain, chosen, charset, config, steps_per_epoch, bound)
    yield learning
    augment = Augment.from_config(config)
    if augment is None or learning.problem or not plain.learnt:
        return
    shown = learn(chosen, charset, config, augment, SEES_AUGMENTED * bound)
    yield _judge_augmentation(shown, plain, bound)


def distinct(crops: Sequence[Crop], count: int = CROPS) -> list[Crop]:
    """Returns the first crops of different texts."""
    return list({crop.text: crop for crop in reversed(crops[: 50 * count]) if crop.text}.values())[::-1][:count]


def blind_loss(labels: Sequence[Sequence[int]]) -> float:
    """Returns the nats per character left to whoever knows the labels of a batch, but not which picture is which.

    This is the mean over the labels of the entropy of what stands at each place, averaged as CTC's loss is: by label,
    then by character.
    """
    places = [Counter(label[i] for label in labels if i < len(label)) for i in range(max(map(len, labels), default=0))]
    costs = [
        fmean(-math.log(places[i][c] / places[i].total()) for i, c in enumerate(label)) for label in labels if label
    ]
    return fmean(costs) if costs else 0.0


def learn(
    crops: Sequence[Crop],
    charset: Charset,
    config: Config,
    augment: Augment | None,
    bound: float,
    lr: float | None = None,
) -> Outcome:
    """Trains on these crops alone, at a constant learning rate, until the loss stays below `bound` or time is up."""
    rate = config.lr if lr is None else lr
    constant = replace(
        config, lr=rate, min_lr=0.0, lr_schedule="constant", warmup_epochs=0.0, dropout=0.0, ema_decay=0.0,
        accumulation_steps=1,
    )  # fmt: skip
    dataset = CropDataset(crops, charset, constant, augment)
    learner = _learner(charset, constant)
    losses: deque[float] = deque(maxlen=AVERAGED)
    first, started, steps = math.nan, time.perf_counter(), 0
    while steps < STEPS and time.perf_counter() - started < SECONDS:
        steps += 1
        dataset.set_epoch(steps)
        losses.append(float(learner.learn(dataset.__getitems__(range(len(crops))))["loss"]))
        first = losses[0] if steps == 1 else first
        if not math.isfinite(losses[-1]):
            break
        if len(losses) == AVERAGED and fmean(losses) < bound:
            break
    last = fmean(losses)
    learnt = len(losses) == AVERAGED and last < bound
    return Outcome(learnt, learnt or steps == STEPS or not math.isfinite(last), steps, first, last)


def _learner(charset: Charset, config: Config) -> Learner:
    """Builds a learner of the config's network."""
    return build_learner(lambda: build_crnn(config, charset), config)


def _time_epoch(crops: Sequence[Crop], charset: Charset, config: Config, steps_per_epoch: int) -> Finding:
    """Times a step of the real batch size, and multiplies it into an epoch."""
    batch_size = min(config.batch_size, len(crops))
    dataset = CropDataset(crops[:batch_size], charset, config, Augment.from_config(config))

    def batch(step: int) -> Batch:
        dataset.set_epoch(step)
        return dataset.__getitems__(range(batch_size))

    seconds = time_step(_learner(charset, config), batch).seconds
    detail = f"{batch_size} crops in {seconds:.3f} s; {steps_per_epoch} steps make an epoch"
    return Finding("one step", detail, epoch_seconds=steps_per_epoch * seconds)


def _judge_learning(
    plain: Outcome, crops: Sequence[Crop], charset: Charset, config: Config, steps_per_epoch: int, bound: float
) -> Finding:
    """Says whether a trial of this config can learn, and if not, what to change."""
    total = config.epochs * steps_per_epoch
    moved = sum(lr_at(config, step, steps_per_epoch) for step in range(total))
    told = f"train/loss of {len(crops)} crops went from {plain.first:.2f} to {plain.last:.2f} in {plain.steps} steps"
    told += f" at lr {config.lr:g}; a network blind to its pictures stays above {bound:.2f}"
    if not plain.learnt and not plain.decided:
        return Finding("learning", f"not decided within {SECONDS:.0f} s: {told}")
    lr, outcome = config.lr, plain
    if not plain.learnt:
        rescue = _rescue(crops, charset, config, bound)
        if rescue is None:
            return _explain_failure(told, crops, charset, config)
        lr, outcome = rescue
        told += f"; at lr {lr:g} it saw them after {outcome.steps} steps"
        if lr < config.lr:
            problem = f"learning rate too high: {told}; lower `lr`"
            return Finding("learning", told, problem, kind="learning_rate_too_high")
    needed = outcome.steps * lr
    if outcome.steps > total:
        return Finding("learning", f"{told}; a trial of {total} steps is too short to learn anything")
    if moved < needed:
        problem = (
            f"learning rate too low: {told}. Over the {total} steps of a trial the rates sum up to {moved:.2g}, but "
            f"these {len(crops)} crops alone took {needed:.2g}; raise `lr`, `min_lr` or `epochs`, or let it decay later"
        )
        return Finding("learning", told, problem, kind="learning_rate_too_low")
    return Finding("learning", told)


def _rescue(crops: Sequence[Crop], charset: Charset, config: Config, bound: float) -> tuple[float, Outcome] | None:
    """Returns the first other learning rate, a higher one if possible, at which the crops are learnt; else None."""
    for lr in (config.lr * factor for factor in OTHER_RATES if factor < 1 or config.lr * factor <= HIGHEST_LR):
        outcome = learn(crops, charset, config, None, SEES * bound, lr=lr)
        if outcome.learnt:
            return lr, outcome
    return None


def _explain_failure(told: str, crops: Sequence[Crop], charset: Charset, config: Config) -> Finding:
    """Says whether labels have any effect on the loss, where no learning rate helps."""
    batch = CropDataset(crops, charset, config).__getitems__(range(len(crops)))
    learner = _learner(charset, config)
    device = learner.device
    other = batch | {name: batch[name].roll(1, 0) for name in ("target", "target_length")}
    with torch.no_grad():
        own, rolled = (
            float(learner.model.loss({name: value.to(device) for name, value in each.items()})["loss"])
            for each in (batch, other)
        )
    if math.isclose(own, rolled, rel_tol=1e-6):
        problem = f"labels without effect: the loss is {own:.4f} with the labels of other crops too; {told}"
        return Finding("learning", told, problem, kind="labels_without_effect")
    problem = (
        f"the network learns nothing, whatever the learning rate: {told}; look at the pictures and the labels, then at "
        "`backbone`, `optimizer` and `gradient_clip`"
    )
    return Finding("learning", told, problem, kind="nothing_learnt")


def _judge_augmentation(shown: Outcome, plain: Outcome, bound: float) -> Finding:
    """Says whether the crops can still be learnt when they are augmented."""
    told = f"the same crops augmented: train/loss from {shown.first:.2f} to {shown.last:.2f} in {shown.steps} steps"
    told += f", {plain.steps} without augmentation"
    if shown.learnt or not shown.decided:
        return Finding("augmentation", told if shown.learnt else f"not decided within {SECONDS:.0f} s: {told}")
    problem = (
        f"augmentation destroys the pictures: {told}; a network blind to its pictures stays above {bound:.2f}. "
        "See batch.png, and lower the probabilities of what cannot be read any more, randaugment_magnitude first"
    )
    return Finding("augmentation", told, problem, kind="augmentation_destroys")
