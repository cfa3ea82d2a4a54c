"""`python -m daypass`."""

from daypass.cli.main import main

raise SystemExit(main())
