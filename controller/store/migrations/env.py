"""Runs migrations on the connection that database.py hands over; there is no alembic.ini and no command line."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=False)
context.run_migrations()
