"""Where a box goes on: a Kalman filter of its centre and sides, each with a speed of its own. Between two looks may be
any time, as sampled frames are not evenly apart."""

from collections.abc import Sequence

import numpy as np

from windmill.kernels.boxes.geometry import Floats

_SEEN, _SPEED, _PUSH = 0.05, 2.0, 2.0
"""How far a box is off where it is seen, how fast one may be that has just appeared (a second), and how much its speed
may change (a second): in sides of the box."""
_LEAST_SIDE = 4.0


def _side(box: Floats) -> float:
    return max(float(np.sqrt(abs(box[2] * box[3]))), _LEAST_SIDE)


class BoxMotion:
    """Boxes are centre and sides: x, y, width, height. `state` is place and speed, a row each; the four are
    independent and equally uncertain, so one covariance of place and speed is that of all. Mutable."""

    def __init__(self, box: Floats, seconds: float) -> None:
        self.seconds = seconds
        self.state = np.stack((box, np.zeros(4)))
        side = _side(box)
        self.covariance = np.diag(((_SEEN * side) ** 2, (_SPEED * side) ** 2))

    def at(self, seconds: float) -> Floats:
        """The box that is expected."""
        box = self.state[0] + self.state[1] * (seconds - self.seconds)
        box[2:] = np.maximum(box[2:], 0.5 * self.state[0, 2:])
        return np.asarray(box)

    def advance(self, seconds: float) -> Floats:
        """Move to a later time; the matrix by which place and speed moved."""
        lapse, push = seconds - self.seconds, (_PUSH * _side(self.state[0])) ** 2
        moved = np.array([[1.0, lapse], [0.0, 1.0]])
        noise = np.array([[lapse**4 / 4, lapse**3 / 2], [lapse**3 / 2, lapse**2]]) * push
        self.state, self.covariance = moved @ self.state, moved @ self.covariance @ moved.T + noise
        self.seconds = seconds
        return moved

    def see(self, box: Floats) -> None:
        """Take in where the box is now."""
        spread = self.covariance[0, 0] + (_SEEN * _side(box)) ** 2
        gain = self.covariance[:, 0] / spread
        self.state = self.state + np.outer(gain, box - self.state[0])
        self.covariance = self.covariance - np.outer(gain, self.covariance[0])


def smoothed(times: Sequence[float], boxes: Floats) -> Floats:
    """The boxes as they are known when all of them are: forwards and then back (Rauch, Tung and Striebel). What shakes
    because a detector does so, stands."""
    motion = BoxMotion(boxes[0], times[0])
    seen, expected = [(motion.state, motion.covariance)], []
    for time, box in zip(times[1:], boxes[1:], strict=True):
        moved = motion.advance(time)
        expected.append((motion.state, motion.covariance, moved))
        motion.see(box)
        seen.append((motion.state, motion.covariance))
    state = seen[-1][0]
    found = [state[0]]
    for (known, covariance), (ahead, spread, moved) in zip(seen[-2::-1], expected[::-1], strict=True):
        state = known + covariance @ moved.T @ np.linalg.inv(spread) @ (state - ahead)
        found.append(state[0])
    return np.stack(found[::-1])
