"""What the product costs: `make bench`. Its times are ratios to a floor, beside those of other libraries in that run.

A bench is a module here with a function `run(scale)` that returns rows of a table. Add one for what a user waits or
pays for. Everything is measured from outside, on processes as a user starts them. The results are ratios because
absolute times say more about the machine than about the program.
"""
