"""Alembic's entry point: runs on the connection it was given (see ``migrations``)."""

from alembic import context

from sched_async.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
