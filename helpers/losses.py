"""The training loss, point by point: cross-entropy that keeps its digits at large margins."""

import torch
from torch import Tensor
from torch.nn.functional import softplus


def point_losses(logits: Tensor, y: Tensor) -> Tensor:
    """Return the cross-entropy of every network at every point, in nats.

    logits: (networks, points) of one logit or (networks, points, classes); y: (points,) labels,
    or (networks, points). With the margin m (signed logit, or true logit minus log-sum-exp of the
    others) the loss is softplus(-m): log-sum-exp minus the true logit would underflow to 0.
    """
    if logits.ndim not in (2, 3) or y.shape not in (logits.shape[:2], logits.shape[1:2]):
        raise ValueError(f"y has shape {tuple(y.shape)} for logits {tuple(logits.shape)}; expected "
                         "one label per point")
    y = y.to(logits.device).expand(logits.shape[:2])
    if logits.ndim == 2:
        return softplus(torch.where(y == 1, -logits, logits))
    true = y[..., None]
    others = logits.scatter(2, true, -torch.inf).logsumexp(2)
    return softplus(others - logits.gather(2, true)[..., 0])
