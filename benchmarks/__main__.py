"""`python -m benchmarks` is the metadata server's benchmark."""

from benchmarks.metadata import main

raise SystemExit(main())
