"""`python -m tune`: the same program, whatever script on PATH is called `tune`."""

from tune.program import main

main()
