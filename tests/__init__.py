"""The tests speak HTTP to the app over a real, migrated database."""
