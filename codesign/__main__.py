"""`python -m codesign` is the console script `codesign-dc`."""

import sys

from codesign.cli import main

if __name__ == "__main__":
    sys.exit(main())
