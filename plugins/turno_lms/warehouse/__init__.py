"""The warehouse: connections, migrations and what every area shares when it writes there."""
