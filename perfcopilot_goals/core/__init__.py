"""What the pipeline decides, as pure functions: values and frames in, values and frames out.

No clock, environment, logging, network, SQL or Dagster in here, so that every rule can be tested by calling it.
"""
