# make run      build, start brood with the Flask example as a daemon, print its first answer
# make test     build with sanitizers, run every test, end with "N passed, N failed"
# make help     the other targets
#
# Each installs the Debian packages that it needs and that are missing (tools/setup); nothing else
# outside this directory is touched, except by `make install`.

PREFIX ?= /usr/local
PORT   ?= 8080
CC     ?= cc

RELEASE := build/release
TEST    := build/test
POINTED := build/pointed

.PHONY: help run stop test test-interp unit build install bench chaos fuzz lint docs transcript model clean
.DEFAULT_GOAL := help

help:
	@sed -n '1,/^$$/s/^# \{0,1\}//p' Makefile
	@echo 'make stop     stop what make run started'
	@echo 'make build    the release build alone, in $(RELEASE)'
	@echo 'make unit     the unit tests alone'
	@echo 'make test-interp  the behavioural suite of prefork-interp'
	@echo 'make install  PREFIX=/usr/local DESTDIR='
	@echo 'make lint     layering, format, clang-tidy, -Werror with gcc and clang'
	@echo 'make fuzz     each fuzz target for SECONDS=30 (default)'
	@echo 'make bench    compare with other servers on this machine'
	@echo 'make chaos    reload, reopen, restart and kill under load, and count what clients lost'
	@echo 'make docs     print the reference pages in docs/ from the tables in the source'
	@echo 'make transcript  write what the terminal test shows to docs/operations.md'
	@echo 'make model    check the model of the shared-memory protocol'
	@echo 'make clean    remove build/ and run/'

# Meson configures once; Ninja repeats it by itself when a meson.build changes.
$(RELEASE)/build.ninja:
	meson setup $(RELEASE) --buildtype=release --prefix=$(PREFIX) -Dtests=false

$(TEST)/build.ninja:
	meson setup $(TEST) -Db_sanitize=address,undefined -Db_lundef=false -Dinjection=true

$(POINTED)/build.ninja:
	meson setup $(POINTED) -Doptimization=1 -Dinjection=true -Dtests=false

build:
	@tools/setup build
	@$(MAKE) --no-print-directory $(RELEASE)/build.ninja
	ninja -C $(RELEASE)

run:
	@tools/setup run
	@$(MAKE) --no-print-directory $(RELEASE)/build.ninja
	ninja -C $(RELEASE)
	@tools/demo start $(RELEASE) $(PORT)

stop:
	@tools/demo stop

# Guests run inside somebody's interpreter, which knows no sanitizer: the sanitized daemon is tested
# with the release build's modules; where workers are killed at chosen moments, with some that have
# injection points.
test:
	@tools/setup test
	@$(MAKE) --no-print-directory $(RELEASE)/build.ninja $(TEST)/build.ninja $(POINTED)/build.ninja
	ninja -C $(RELEASE)
	ninja -C $(TEST)
	ninja -C $(POINTED) src/modules/python.module.so src/modules/_brood.abi3.so
	@BROOD_POINTED_MODULES=$(abspath $(POINTED))/src/modules tools/test $(TEST) $(RELEASE)

test-interp:
	@tools/setup test
	@$(MAKE) --no-print-directory $(RELEASE)/build.ninja $(TEST)/build.ninja
	ninja -C $(RELEASE)
	ninja -C $(TEST) src/programs/brood-interp
	BROOD_INTERP_ALL=1 BROOD_BUILD=$(CURDIR)/$(TEST) BROOD_RELEASE=$(CURDIR)/$(RELEASE) /usr/bin/python3 -m pytest -q -n 2 tests/interp

unit:
	@tools/setup test
	@$(MAKE) --no-print-directory $(TEST)/build.ninja
	meson test -C $(TEST) --suite unit

install: build
	meson configure $(RELEASE) -Dprefix=$(PREFIX)
	DESTDIR=$(DESTDIR) meson install -C $(RELEASE)

lint:
	@tools/setup lint
	tools/lint

fuzz:
	@tools/setup fuzz
	tools/fuzz $(or $(SECONDS),30)

bench: build
	@tools/setup bench
	bench/interp.py --build $(RELEASE)
	bench/compare.py --brood $(RELEASE)/src/programs/brood --modules $(abspath $(RELEASE))/src/modules
	ninja -C $(RELEASE) bench/lib_bench
	$(RELEASE)/bench/lib_bench

chaos: build
	@tools/setup test
	BROOD_BUILD=$(abspath $(RELEASE)) tools/chaos

docs:
	@tools/setup test
	@$(MAKE) --no-print-directory $(TEST)/build.ninja
	ninja -C $(TEST) tests/unit/conf/options_manual tools/messages_manual tools/api_manual tools/migrate_manual tools/openapi src/programs/broodctl
	$(TEST)/tests/unit/conf/options_manual >docs/options.md
	$(TEST)/tools/messages_manual >docs/messages.md
	$(TEST)/tools/api_manual >docs/api.md
	$(TEST)/tools/migrate_manual >docs/migrate.md
	$(TEST)/src/programs/broodctl schema >docs/schema.json
	$(TEST)/tools/openapi >docs/openapi.json

transcript: build
	@tools/setup test
	BROOD_BUILD=$(abspath $(RELEASE)) BROOD_TRANSCRIPT=$(abspath docs/operations.md) \
	  /usr/bin/python3 -m pytest -q tests/system/test_20_terminal.py -k operator

model:
	@tools/setup model
	docs/model/run.sh

clean: stop
	rm -rf build run
