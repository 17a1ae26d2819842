"""`python -m runner up | demo | chat | status | reset`; the Makefile calls them."""

import os
import signal

# The imports take a third of a second, and a Ctrl-C in the middle of them has nothing to stop and nothing to tell.
signal.signal(signal.SIGINT, lambda *_: os._exit(130))

from runner.commands import main  # noqa: E402

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main()
