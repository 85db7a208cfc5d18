"""Runs the migrations over the connection that the bridge has opened."""

from alembic import context

from blupow_bridge.store.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
