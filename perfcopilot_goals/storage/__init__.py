"""All SQL on the product's tables: migrations, statements, and the database connections that they run on."""
