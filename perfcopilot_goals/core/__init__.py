"""What the pipeline decides, as pure functions: values and frames in, values and frames out.

No clock, environment, logging, network, SQL or Dagster here. So a test of a rule just calls it.
"""
