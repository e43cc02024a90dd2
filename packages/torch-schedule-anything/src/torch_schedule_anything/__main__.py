"""Check plans in files, and say what they do: ``python -m torch_schedule_anything plan.yaml``."""

import sys

from tsa_builtins.plans.command import main

sys.exit(main())
