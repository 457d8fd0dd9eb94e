#!/bin/sh
# Run once by the PostgreSQL image on an empty data directory: Fineract expects its tenant's database to be there.
set -eu

createdb --username "$POSTGRES_USER" fineract_default
