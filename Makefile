# The commands everyone relies on; `make help` lists them. The first one to run installs the locked environment.

STATE := $(or $(TURNO_STATE),$(CURDIR)/.turno)
BIN := $(STATE)/venv/bin
.DEFAULT_GOAL := help
.PHONY: help bootstrap demo demo-once test lint faults fuzz bench lock lock-check licences sbom audit clean

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

bootstrap: ## install the locked environment (the others do it by themselves)
	@scripts/bootstrap.sh

demo: bootstrap ## files from S3 to posted repayments, in the real Airflow; stays up until Ctrl-C
	@"$(BIN)/turno" demo

demo-once: bootstrap ## the same, then stop; status 0 only if every figure ties
	@"$(BIN)/turno" demo --once

test: bootstrap ## every test, on services of its own
	@"$(BIN)/python" -m pytest -m "not long" --durations 15 --numprocesses auto --dist loadfile --no-loadscope-reorder

lint: bootstrap ## style, types and SQL
	@"$(BIN)/ruff" check .
	@"$(BIN)/ruff" format --check .
	@"$(BIN)/mypy"
	@"$(BIN)/sqlfluff" lint --disable-progress-bar include/dbt
	@cd plugins && "$(BIN)/sqlfluff" lint --disable-progress-bar turno_lms

faults: bootstrap ## the long fault campaigns: processes killed while money is posted, and links made (ROUNDS=20 LINKS=10000)
	@"$(BIN)/python" -m pytest -q -m long
	@"$(BIN)/python" -m tests.payment_links.campaign --links $(or $(LINKS),10000)
	@TURNO_STORM_ROUNDS=$(or $(ROUNDS),20) "$(BIN)/python" -m pytest -q -s tests/faults/test_webhook_storm.py
	@"$(BIN)/python" -m tests.faults.campaign --rounds $(or $(ROUNDS),20)

fuzz: bootstrap ## the long campaign of damaged files against the readers (FACTOR=50)
	@TURNO_FUZZ_FACTOR=$(or $(FACTOR),50) "$(BIN)/python" -m pytest tests/ingestion/test_fuzz.py --hypothesis-show-statistics --timeout=0

bench: bootstrap ## measure one area beside its peer (AREA=ingestion; benchmarks/README.md lists them)
	@"$(BIN)/python" -m benchmarks $(AREA)

lock: bootstrap ## write the locked requirements anew from the .in files
	@scripts/lock.sh

lock-check: bootstrap ## say whether the locked requirements follow from the .in files
	@scripts/lock.sh --check

licences: bootstrap ## the licences of what runs in production: docs/licences.md
	@"$(BIN)/python" scripts/licences.py --write >/dev/null

sbom: bootstrap ## what runs in production, as CycloneDX: sbom-airflow.json and sbom-receiver.json in the state folder
	@"$(BIN)/cyclonedx-py" requirements --output-reproducible --output-file "$(STATE)/sbom-airflow.json" requirements.txt
	@"$(BIN)/cyclonedx-py" requirements --output-reproducible --output-file "$(STATE)/sbom-receiver.json" webhook_receiver/requirements.txt

audit: bootstrap ## known vulnerabilities of what runs in production, as far as the advisory service can be reached
	@scripts/audit.sh

clean: ## stop the stack and remove all local state
	@test -z "$(TURNO_STATE)" || test -e "$(STATE)/bootstrap.lock" || { echo "$(STATE) is no state folder"; exit 1; }
	@test ! -x "$(BIN)/turno" || "$(BIN)/turno" stack down || true
	@rm -rf "$(STATE)" include/dbt/target include/dbt/logs
