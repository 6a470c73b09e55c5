"""All SQL of the product: the migrations, the statements and the connections that they run on."""
