"""openTSNE's default call on a table; runs in the peers' environment.

python benchmarks/_tsne_peers.py table.npy map.npy seed
"""

import json
import sys
import time

import numpy as np
from openTSNE import TSNE


def main(table, target, seed):
    values = np.load(table, allow_pickle=False)
    wall, busy = time.perf_counter(), time.process_time()
    places = TSNE(random_state=int(seed)).fit(values)
    spent = {"seconds": time.perf_counter() - wall, "processor seconds": time.process_time() - busy}
    np.save(target, np.asarray(places, dtype=np.float64))
    print(json.dumps(spent))


if __name__ == "__main__":
    main(*sys.argv[1:])
