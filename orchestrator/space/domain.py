"""Says what values one name may take: Float, Int, Categorical or Fixed. Terms are those of Optuna's distributions."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from orchestrator.mistake import shown
from orchestrator.plain_data import LARGEST_WHOLE, PlainValues, exact, is_number, same

_LISTED = 20  # A message names so many choices; the others are counted.


@dataclass(frozen=True, slots=True)
class Float:
    """Holds the real numbers from low to high, both included.

    log: values are drawn log-uniformly. step: only low, low + step, ... belong to the domain; `high` is then lowered to
    the last value that the steps reach, as in Optuna. Raises ValueError, which says what must hold.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None

    def __post_init__(self) -> None:
        _require(range_mistakes(self.low, self.high, self.log, self.step))
        object.__setattr__(self, "low", float(self.low))
        object.__setattr__(self, "high", float(self.high))
        if self.step is not None:
            object.__setattr__(self, "step", float(self.step))
            object.__setattr__(self, "high", self._value(self._steps))

    @property
    def size(self) -> int | None:
        """Returns how many values there are; None for uncountably many."""
        if self.low == self.high:
            return 1
        return None if self.step is None else self._steps + 1

    @property
    def middle(self) -> float:
        """Returns the middle of the range; with `log`, the geometric one."""
        if self.step is not None:
            return self._value(self._steps // 2)
        return self._at(0.5)

    def sample(self, rng: random.Random) -> float:
        return self._at(rng.random()) if self.step is None else self._value(rng.randrange(self._steps + 1))

    def contains(self, value: Any) -> bool:
        if not is_number(value) or not self.low <= value <= self.high:
            return False
        if self.step is None:
            return True
        k = (value - self.low) / self.step
        # Within Optuna's tolerance 0.1 + 0.2 counts as 0.3. A grid of many millions needs the exact value as well.
        return abs(k - round(k)) < 1e-8 or value == self._value(round(k))

    def values(self) -> Iterator[float]:
        """Yields every value in order. `size` must not be None."""
        assert self.size is not None
        return iter([self.low]) if self.step is None else (self._value(k) for k in range(self._steps + 1))

    @property
    def _steps(self) -> int:
        assert self.step is not None
        return int((exact(self.high) - exact(self.low)) // exact(self.step))

    def _value(self, k: int) -> float:
        """Returns low + k * step as decimals give it: 0.3, never 0.30000000000000004."""
        assert self.step is not None
        return float(exact(self.low) + k * exact(self.step))

    def _at(self, share: float) -> float:
        """Returns the value at `share` (0 to 1) of the way from low to high; with `log`, of the logarithms."""
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        value = low * (1 - share) + high * share  # `high - low` could overflow.
        return min(max(math.exp(value) if self.log else value, self.low), self.high)


@dataclass(frozen=True, slots=True)
class Int:
    """Holds the whole numbers from low to high, both included.

    log: every order of magnitude is drawn equally often. step: only low, low + step, ... belong to the domain; `high`
    is then lowered to the last value that the steps reach, as in Optuna. Raises ValueError, which says what must hold.
    """

    low: int
    high: int
    log: bool = False
    step: int = 1

    def __post_init__(self) -> None:
        _require(range_mistakes(self.low, self.high, self.log, self.step if self.step != 1 else None, whole=True))
        object.__setattr__(self, "high", self.low + (self.high - self.low) // self.step * self.step)

    @property
    def size(self) -> int:
        return (self.high - self.low) // self.step + 1

    @property
    def middle(self) -> int:
        """Returns the middle of the range; with `log`, the geometric one."""
        if self.log:
            return min(max(round(math.sqrt(self.low * self.high)), self.low), self.high)
        return self.low + (self.size - 1) // 2 * self.step

    def sample(self, rng: random.Random) -> int:
        if not self.log:
            return self.low + rng.randrange(self.size) * self.step
        drawn = math.exp(rng.uniform(math.log(self.low - 0.5), math.log(self.high + 0.5)))
        return min(max(round(drawn), self.low), self.high)

    def contains(self, value: Any) -> bool:
        whole = isinstance(value, int) and not isinstance(value, bool)
        return whole and self.low <= value <= self.high and (value - self.low) % self.step == 0

    def values(self) -> Iterator[int]:
        return iter(range(self.low, self.high + 1, self.step))


@dataclass(frozen=True, slots=True)
class Categorical:
    """Holds values of plain data to choose from. Raises ValueError where there are none."""

    choices: tuple[Any, ...]
    _found: PlainValues = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.choices:
            raise ValueError("at least one choice must be given")
        object.__setattr__(self, "_found", PlainValues(self.choices))

    @property
    def size(self) -> int:
        return len(self.choices)

    @property
    def middle(self) -> Any:
        """Returns the first choice, because choices have no order and so no middle."""
        return self.choices[0]

    def sample(self, rng: random.Random) -> Any:
        return self.choices[rng.randrange(len(self.choices))]

    def contains(self, value: Any) -> bool:
        return value in self._found

    def listed(self, value: Any) -> Any:
        """Returns the choice that is the same as `value`; `value` itself where there is none."""
        return self._found.find(value)

    def values(self) -> Iterator[Any]:
        return iter(self.choices)


@dataclass(frozen=True, slots=True)
class Fixed:
    """Holds one value of plain data."""

    value: Any

    @property
    def size(self) -> int:
        return 1

    @property
    def middle(self) -> Any:
        return self.value

    def sample(self, rng: random.Random) -> Any:
        return self.value

    def contains(self, value: Any) -> bool:
        return same(value, self.value)

    def listed(self, value: Any) -> Any:
        """Returns the value of the domain where `value` is the same; else `value` itself."""
        return self.value if self.contains(value) else value

    def values(self) -> Iterator[Any]:
        return iter((self.value,))


# All four have `size`, `middle`, `sample`, `contains` and `values`. In `contains`, 1 and 1.0 are equal, 1 and true not.
Domain = Float | Int | Categorical | Fixed


def described(domain: Domain) -> str:
    """Returns a domain in words, for messages: `a number from 0.0001 to 0.001`."""
    if isinstance(domain, Fixed):
        return shown(domain.value)
    if isinstance(domain, Categorical):
        more = f", ... ({domain.size} in all)" if domain.size > _LISTED else ""
        return "one of " + ", ".join(shown(choice) for choice in domain.choices[:_LISTED]) + more
    kind = "a whole number" if isinstance(domain, Int) else "a number"
    step = f" in steps of {domain.step}" if domain.step not in (None, 1) else ""
    return f"{kind} from {domain.low} to {domain.high}{step}"


def range_mistakes(low: float, high: float, log: bool, step: float | None, whole: bool = False) -> list[str]:
    """Lists what is wrong with a range, each as `what must hold, but got X; what to do`. whole: of whole numbers."""
    for name, value in (("low", low), ("high", high), ("step", step)):
        if value is not None and not is_number(value):
            return [f"`{name}` must be a finite number, but got {shown(value)}"]
        if whole and value is not None and not isinstance(value, int):
            return [f"`{name}` must be a whole number, but got {shown(value)}"]
        if whole and value is not None and abs(value) > LARGEST_WHOLE:
            return [f"`{name}` must be at most {LARGEST_WHOLE} in size, but got {shown(value)}"]
    found = []
    if low > high:
        found.append(f"`low <= high` must hold, but got low={low}, high={high}; swap them")
    if log and whole and low < 1:
        found.append(f"`low >= 1` must hold with `log: true`, but got low={low}; raise it, or leave `log` out")
    elif log and low <= 0:
        found.append(f"`low > 0` must hold with `log: true`, but got low={low}; raise it, or leave `log` out")
    if log and step is not None:
        found.append(f"`log` and `step` must not stand together, but got log=true, step={step}; leave one out")
    if step is not None and step <= 0:
        found.append(f"`step > 0` must hold, but got step={step}")
    elif step is not None and low < high and exact(step) > exact(high) - exact(low):
        got = f"low={low}, high={high}, step={step}"
        found.append(f"`step <= high - low` must hold, but got {got}; make the step smaller")
    elif step is not None and low < high and (exact(high) - exact(low)) / exact(step) > LARGEST_WHOLE:
        got = f"low={low}, high={high}, step={step}"
        found.append(f"a range must have at most {LARGEST_WHOLE} steps, but got {got}; leave `step` out")
    return found


def _require(mistakes: list[str]) -> None:
    if mistakes:
        raise ValueError(mistakes[0])
