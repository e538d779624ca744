"""The database's migrations, applied by `store.migrate`."""
