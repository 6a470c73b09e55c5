"""What the product costs, as ratios to a floor or to another library in the same run. `make bench`.

A bench is a module here with a function `run(scale)` that returns rows of a table; add one for what a user waits or
pays for. Everything is measured from outside, on processes as a user starts them. Absolute times say more about the
machine than about the program.
"""
