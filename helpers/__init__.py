"""Train many small networks side by side, prune their nodes before or after, and compare.

In the order data flow:

- `data`, `sequential`, `networks`, `losses`: problems, plain PyTorch models, networks, and what is
  minimised;
- `recipes`, `engine`, `kernel`, `fused`, `training`, `gpu`: how networks are trained, many at
  once; with Numba, each in one core's cache; on a GPU, each in one kernel;
- `gates`, `estimates`, `criteria`, `pruning`: which nodes go, and what stands in for them;
- `compare`, `intervals`: distances between networks, estimates with their uncertainty;
- `draws`, `square`, `own`: many draws of the data, both orders of one setting, and of a training
  of one's own;
- `weights`: the weight scatter;
- `replacements`, `change`, `bounds`, `removals`, `looseness`: bounds on what pruning does to the
  loss, and what they give away;
- `lipsdp`, `polygons`, `regions`: Lipschitz constants by semidefinite programming and exactly;
- `schedule`, `arms`, `measures`: pruning during training, all arms of a setting, their tidy rows;
- `tasks`, `sweep`, `command`: grids of settings, resumable, from Python or the command line;
- `study`, `ladders`, `bound_tables`, `results`: the settings of this study, and the tables they
  left;
- `claims`, `statements`: what the post says, what was measured, the verdict; what of it holds at
  other settings;
- `plots`, `films`, `animation`, `sliders`: figures, films, those of training, figures with
  controls;
- `vectors`, `bundle`, `explorer`: what the playground's JavaScript is tested against, how its
  modules become one script, the playground in notebooks.

`checks`, `streams`, `files` and `progress` serve them all.
"""
