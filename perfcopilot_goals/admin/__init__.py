"""The admin page: for administrators who connect Asana and map employees, and for managers who read goals.

Routes and templates over `services`. It decides nothing but who may see what. It imports no Dagster: whoever builds the
app hands in how a sync is started and how a partition is made.
"""
