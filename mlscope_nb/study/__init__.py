"""What the unit of independence implies: splits, intervals, permutations and effective n.

Cells of one well, donor or image are more alike than cells of two. The unit is declared once, when data are
loaded, and everything here counts units: a split never cuts one, an interval gets its width from the
differences between them, and labels are exchanged between them. Copying every cell (equally often) changes
no interval and no p-value; copying some cells of a unit changes the mean of that unit, and nothing else.

========================  =====================================================================
`describe`                how many units stand behind each class, and what cannot be told apart
`split`, `leave_one_out`  training and test cells with units kept whole
`nested`, `check_split`   outer and inner splits; a check of splits from anywhere
`t_interval`              the mean over units
`bootstrap_interval`      any statistic, whole units drawn again
`difference_interval`     two classes, compared as the design allows
`permutation_test`        do labels matter, by exchanging them between units
`permute_labels`          the exchanged labels themselves
`agreement`               do two sets of labels agree: kappa, and the cells on which they differ
`read_label_file`         labels that a person gave, from a table or an annotation log
`effective_n`             how many independent cells the cells of a few units are worth
`unit_means`, `groups`    one number per unit; the group of each cell
========================  =====================================================================
"""

from mlscope_nb.study.agreement import Agreement, agreement
from mlscope_nb.study.blocks import Blocks, blocks
from mlscope_nb.study.bootstrap import bootstrap_interval
from mlscope_nb.study.effective import EffectiveN, effective_n
from mlscope_nb.study.intervals import MIN_UNITS, Interval, difference_interval, t_interval
from mlscope_nb.study.label_files import read_label_file
from mlscope_nb.study.permutations import PermutationTest, permutation_test, permute_labels
from mlscope_nb.study.replication import Replication, describe
from mlscope_nb.study.split_checks import check_split
from mlscope_nb.study.splits import Nested, Split, leave_one_out, nested, split
from mlscope_nb.study.units import groups, unit_means

__all__ = [
    "MIN_UNITS",
    "Agreement",
    "Blocks",
    "EffectiveN",
    "Interval",
    "Nested",
    "PermutationTest",
    "Replication",
    "Split",
    "agreement",
    "blocks",
    "bootstrap_interval",
    "check_split",
    "describe",
    "difference_interval",
    "effective_n",
    "groups",
    "leave_one_out",
    "nested",
    "permutation_test",
    "permute_labels",
    "read_label_file",
    "split",
    "t_interval",
    "unit_means",
]
