"""`python -m proxy.supervise ROLE FD`: a child of `firsthand serve`; FD is its end of the channel, ROLE is for `ps`.

Signals first, before what takes long to import: Ctrl-C and a closed terminal reach every process of the group, but
only the parent decides what they mean.
"""

from __future__ import annotations

import signal
import sys


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    import uvloop  # noqa: PLC0415

    from proxy.observe.logs import configure  # noqa: PLC0415
    from proxy.supervise.child import run  # noqa: PLC0415

    configure()
    uvloop.run(run(int(sys.argv[2])))


if __name__ == "__main__":
    main()
