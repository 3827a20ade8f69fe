"""Train many small networks side by side, prune their nodes before or after, and compare.

Modules, in the order data flows: `data`, `networks`, `training` (with its `engine`), `pruning`,
`square`, `compare`, `weights`, `bounds`; then `intervals` and `claims` (statistics and verdicts),
`plots` and `animation` (figures and films). `checks`, `streams` and `progress` serve them all.
"""
