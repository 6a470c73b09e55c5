"""The only SQL of the product, and the Postgres that runs it where none is configured."""
