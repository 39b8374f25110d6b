# Zipring. `make help` lists the targets; README.md explains them.
MAKEFLAGS += --no-builtin-rules --no-print-directory
SHELL     := /bin/bash
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:

VERSION := 1.0.0
PREFIX  ?= /usr/local
DESTDIR ?=

# MODE picks the flags and with them the folder: release (shipped), san (ASan + UBSan), tsan, cover, fuzz.
MODE ?= release
CC   := $(if $(filter default undefined,$(origin CC)),gcc,$(CC))
OUT  := build/$(MODE)$(if $(filter gcc,$(CC)),,-$(notdir $(CC)))
JOBS ?= $(shell nproc 2>/dev/null || echo 2)

WARN := -Wall -Wextra -Werror -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wcast-align -Wcast-qual \
        -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wpointer-arith -Wundef -Wvla -Wformat=2 \
        -Wswitch-enum -Wimplicit-fallthrough -Wnull-dereference -Wdouble-promotion
HARD := -O2 -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection -fcf-protection
# clang 14 takes the zero initialisation only behind a flag of its own; gcc 12 takes it as it is.
ifeq ($(findstring clang,$(CC)),)
HARD += -ftrivial-auto-var-init=zero
endif
# -Wno-null-dereference: gcc's verdict over inlined sanitizer checks is wrong often enough to be noise there.
FLAGS_release := $(HARD)
FLAGS_san     := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all -DZR_CHECK_SLOW -Wno-null-dereference
FLAGS_tsan    := -O1 -fno-omit-frame-pointer -fsanitize=thread -DZR_CHECK_SLOW -Wno-null-dereference
FLAGS_cover   := -O0 -fprofile-instr-generate -fcoverage-mapping
FLAGS_fuzz    := -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -DZR_CHECK_SLOW -Wno-null-dereference
LINK_release  := -Wl,-z,relro,-z,now
LINK_san      := -fsanitize=address,undefined
LINK_tsan     := -fsanitize=thread
LINK_cover    := -fprofile-instr-generate
LINK_fuzz     := -fsanitize=fuzzer,address,undefined

DEFINES := -D_GNU_SOURCE -I. -Iclient/include -DZR_VERSION_TEXT='"$(VERSION)"'
CFLAGS  := -std=c11 -g $(WARN) $(FLAGS_$(MODE)) $(DEFINES)
LDFLAGS := $(LINK_$(MODE))
PIE     := -fPIE
PIC     := -fPIC -fvisibility=hidden

LIBS_server := -luring -llmdb -lxxhash -linih -lssl -lcrypto -lpthread
LIBS_client := -lssl -lcrypto
LIBS_tools  := -ljansson -lcsv -lz -lm

# ---- what is built from what -------------------------------------------------------------------
SRC_protocol := $(wildcard protocol/*.c)
SRC_server   := $(wildcard server/base/*.c server/domain/*.c server/store/*.c server/commit/*.c server/net/*.c server/handlers/*.c)
SRC_zipringd := $(wildcard server/*.c)
SRC_client   := $(wildcard client/*.c)
SRC_cli      := $(wildcard client/cli/*.c)
SRC_bench    := $(wildcard bench/*.c)
SRC_testlib  := $(wildcard tests/lib/*.c)

objects = $(patsubst %.c,$(OUT)/obj/%.o,$(1))
pic     = $(patsubst %.c,$(OUT)/pic/%.o,$(1))

OBJ_protocol := $(call objects,$(SRC_protocol))
OBJ_server   := $(call objects,$(SRC_server))
# test.o as it is, for its zr_check_failed(); the rest is pulled by who names it.
OBJ_testlib  := $(OUT)/obj/tests/lib/test.o $(OUT)/libtest.a
# A part whose main file or map does not exist yet is not built.
PROGRAMS     := $(if $(wildcard server/main.c),$(OUT)/zipringd) $(if $(SRC_cli),$(OUT)/zipring) $(if $(SRC_bench),$(OUT)/zipring-bench)
LIBRARIES    := $(OUT)/libzipring.a $(if $(wildcard client/libzipring.map),$(OUT)/libzipring.so.1)

# Programs of tests/<folder>/*.c; scripts of the same folders are run as they are.
programs = $(patsubst tests/%.c,$(OUT)/tests/%,$(wildcard $(1:%=tests/%/*.c)))
scripts  = $(wildcard $(1:%=tests/%/*.sh))
UNIT_TESTS        := $(call programs,unit)
INTEGRATION_TESTS := $(call programs,integration model sim switch)
CRASH_TESTS       := $(call programs,crash)
# What crash tests load into the server with LD_PRELOAD.
PRELOADS          := $(patsubst tests/%.c,$(OUT)/tests/%.so,$(wildcard tests/crash/preload/*.c))
FUZZERS           := $(patsubst tests/%.c,$(OUT)/%,$(wildcard tests/fuzz/fuzz_*.c))
# These need protocol/ only, and stay buildable whatever the server looks like.
PROTOCOL_TESTS    := $(patsubst %,$(OUT)/tests/unit/test_%,reader builder frame status types message encode operations vectors document)

# Short lines by default; V=1 shows the commands.
say = $(if $(V),,@echo "  $(1)" && )

.PHONY: all
all: $(PROGRAMS) $(LIBRARIES) ## build the release into build/release (the default)

$(OUT)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC    $<)$(CC) $(CFLAGS) $(PIE) -MMD -MP -c $< -o $@

$(OUT)/pic/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC    $<)$(CC) $(CFLAGS) $(PIC) -MMD -MP -c $< -o $@

$(OUT)/zipringd: $(call objects,$(SRC_zipringd)) $(OBJ_server) $(OBJ_protocol)
	$(call say,LINK  $@)$(CC) -pie $(LDFLAGS) $^ -o $@ $(LIBS_server)

$(OUT)/libzipring.a: $(call pic,$(SRC_client) $(SRC_protocol))
	@rm -f $@
	$(call say,AR    $@)ar rcs $@ $^

# For tests only: they pull what they name and nothing else, so client and server may share names.
$(OUT)/libserver.a: $(OBJ_server)
	@rm -f $@
	$(call say,AR    $@)ar rcs $@ $^

$(OUT)/libtest.a: $(call objects,$(filter-out tests/lib/test.c,$(SRC_testlib)))
	@rm -f $@
	$(call say,AR    $@)ar rcs $@ $^

$(OUT)/libbench.a: $(call objects,$(filter-out bench/main.c,$(SRC_bench)))
	@rm -f $@
	$(call say,AR    $@)ar rcs $@ $^

$(OUT)/libzipring.so.1: $(call pic,$(SRC_client) $(SRC_protocol)) client/libzipring.map
	$(call say,LINK  $@)$(CC) -shared -Wl,-soname,libzipring.so.1 -Wl,--version-script=client/libzipring.map $(LDFLAGS) \
	    $(filter %.o,$^) -o $@ $(LIBS_client)
	@ln -sf libzipring.so.1 $(OUT)/libzipring.so

$(OUT)/zipring: $(call objects,$(SRC_cli)) $(OUT)/libzipring.a
	$(call say,LINK  $@)$(CC) -pie $(LDFLAGS) $^ -o $@ $(LIBS_client) $(LIBS_tools)

$(OUT)/zipring-bench: $(call objects,$(SRC_bench)) $(OUT)/libzipring.a
	$(call say,LINK  $@)$(CC) -pie $(LDFLAGS) $^ -o $@ $(LIBS_client) $(LIBS_tools) -lpthread

# The in-process decision: the one part of bench/ that may see the server.
$(OUT)/bench-decision: $(OUT)/obj/bench/micro/decision.o $(OUT)/libserver.a $(OBJ_protocol)
	$(call say,LINK  $@)$(CC) -pie $(LDFLAGS) $^ -o $@ $(LIBS_server) -lz

# make takes the rule with the shortest stem: test_client_x and test_bench*, then unit/x, then the rest.
$(PROTOCOL_TESTS): $(OUT)/tests/unit/%: $(OUT)/obj/tests/unit/%.o $(OBJ_testlib) $(OBJ_protocol)
	@mkdir -p $(@D)
	$(call say,LINK  $@)$(CC) -pie $(LDFLAGS) $^ -o $@ -lcmocka $(LIBS_tools)

$(OUT)/tests/unit/test_client_%: $(OUT)/obj/tests/unit/test_client_%.o $(OBJ_testlib) $(OUT)/libzipring.a
	@mkdir -p $(@D)
	$(call say,LINK  $@)$(CC) -pie $(LDFLAGS) $^ -o $@ -lcmocka $(LIBS_client) $(LIBS_tools) -lpthread

$(OUT)/tests/unit/test_bench%: $(OUT)/obj/tests/unit/test_bench%.o $(OUT)/libbench.a $(OBJ_testlib) $(OUT)/libzipring.a
	@mkdir -p $(@D)
	$(call say,LINK  $@)$(CC) -pie $(LDFLAGS) $^ -o $@ -lcmocka $(LIBS_client) $(LIBS_tools) -lpthread

$(OUT)/tests/unit/%: $(OUT)/obj/tests/unit/%.o $(OBJ_testlib) $(OBJ_server) $(OBJ_protocol)
	@mkdir -p $(@D)
	$(call say,LINK  $@)$(CC) -pie $(LDFLAGS) $^ -o $@ -lcmocka $(LIBS_server) $(LIBS_tools)

$(OUT)/tests/crash/%: $(OUT)/obj/tests/crash/%.o $(call objects,$(wildcard tests/crash/lib/*.c)) $(OBJ_testlib) $(OUT)/libserver.a $(OUT)/libzipring.a
	@mkdir -p $(@D)
	$(call say,LINK  $@)$(CC) -pie $(LDFLAGS) $^ -o $@ -lcmocka $(LIBS_server) $(LIBS_tools)

$(OUT)/tests/model/%: $(OUT)/obj/tests/model/%.o $(call objects,$(wildcard tests/model/lib/*.c)) $(OBJ_testlib) $(OUT)/libzipring.a
	@mkdir -p $(@D)
	$(call say,LINK  $@)$(CC) -pie $(LDFLAGS) $^ -o $@ -lcmocka $(LIBS_client) $(LIBS_tools)

# Named, or make would take the last rule below for a program whose own object is there and theirs are not.
$(call objects,$(wildcard tests/*/lib/*.c)):

$(OUT)/tests/sim/%: $(OUT)/obj/tests/sim/%.o $(call objects,$(wildcard tests/sim/lib/*.c)) $(OBJ_testlib) $(OUT)/libserver.a $(OUT)/libzipring.a
	@mkdir -p $(@D)
	$(call say,LINK  $@)$(CC) -pie $(LDFLAGS) $^ -o $@ -lcmocka $(LIBS_server) $(LIBS_tools)

$(OUT)/tests/crash/preload/%.so: $(OUT)/pic/tests/crash/preload/%.o
	@mkdir -p $(@D)
	$(call say,LINK  $@)$(CC) -shared $(LDFLAGS) $^ -o $@ -ldl

$(OUT)/tests/docs/%: $(OUT)/obj/tests/docs/%.o $(OBJ_testlib) $(OBJ_protocol)
	@mkdir -p $(@D)
	$(call say,LINK  $@)$(CC) -pie $(LDFLAGS) $^ -o $@ -lcmocka $(LIBS_tools)

$(OUT)/tests/%: $(OUT)/obj/tests/%.o $(OBJ_testlib) $(OUT)/libserver.a $(OUT)/libzipring.a
	@mkdir -p $(@D)
	$(call say,LINK  $@)$(CC) -pie $(LDFLAGS) $^ -o $@ -lcmocka $(LIBS_server) $(LIBS_tools)

$(OUT)/fuzz/fuzz_%: $(OUT)/obj/tests/fuzz/fuzz_%.o $(call objects,$(wildcard tests/fuzz/lib/*.c)) $(OBJ_protocol)
	@mkdir -p $(@D)
	$(call say,LINK  $@)$(CC) -pie $(LDFLAGS) $^ -o $@

$(OUT)/fuzz/fuzz_client_%: $(OUT)/obj/tests/fuzz/fuzz_client_%.o $(OUT)/libzipring.a
	@mkdir -p $(@D)
	$(call say,LINK  $@)$(CC) -pie $(LDFLAGS) $^ -o $@ $(LIBS_client)

$(OUT)/fuzz/fuzz_server_%: $(OUT)/obj/tests/fuzz/fuzz_server_%.o $(OUT)/libserver.a $(OBJ_protocol)
	@mkdir -p $(@D)
	$(call say,LINK  $@)$(CC) -pie $(LDFLAGS) $^ -o $@ $(LIBS_server)

.SECONDARY:
-include $(shell find build -name '*.d' 2>/dev/null)

# ---- what a machine needs ----------------------------------------------------------------------
# Names of Debian 12. `make` itself cannot be got by make: apt-get install -y make.
PACKAGES_build := gcc libc6-dev binutils pkg-config liburing-dev liblmdb-dev libxxhash-dev libssl-dev libinih-dev \
                  libjansson-dev libcsv-dev zlib1g-dev openssl ca-certificates procps util-linux
PACKAGES_test  := $(PACKAGES_build) libcmocka-dev python3 clang libclang-rt-14-dev
PACKAGES_check := $(PACKAGES_test) git clang-format clang-tidy cppcheck llvm-14 scdoc

# $(call install,PACKAGES): only what is missing; root, else sudo, else say the line and stop.
define install
@command -v dpkg-query >/dev/null || { echo "not a Debian: install what corresponds to: $(1)"; exit 0; }; \
missing=$$(comm -23 <(tr ' ' '\n' <<<'$(1)' | sed '/^$$/d' | sort) \
    <(dpkg-query -W -f='$${db:Status-Status} $${Package}\n' $(1) 2>/dev/null | sed -n 's/^installed //p' | sort) | xargs); \
[ -z "$$missing" ] && exit 0; \
line="apt-get update && apt-get install -y --no-install-recommends $$missing"; \
if [ "$$(id -u)" = 0 ]; then as=; elif sudo -n true 2>/dev/null || { [ -t 0 ] && command -v sudo >/dev/null; }; then as=sudo; \
else echo "missing packages; as root run:"; echo "  $$line"; exit 1; fi; \
echo "installing: $$missing"; \
$$as apt-get update -qq && $$as env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing \
    || { echo "that failed; as root run:"; echo "  $$line"; exit 1; }
endef

.PHONY: deps deps-build deps-test
deps: ## install what is missing for every target (apt, with sudo when not root)
	$(call install,$(PACKAGES_check))
deps-build:
	$(call install,$(PACKAGES_build))
deps-test:
	$(call install,$(PACKAGES_test))

# ---- run and test ------------------------------------------------------------------------------
# Recursive, so that nothing is compiled before its package is there.
.PHONY: demo run test tests-all test-unit test-integration crash
demo: deps-build ## a server, all ZIPs, and a short call surge through the client library
	@$(MAKE) -j$(JOBS) all
	@BUILD=$(CURDIR)/$(OUT) bench/demo.sh

run: deps-build ## a throw-away server in the foreground, in build/dev
	@$(MAKE) -j$(JOBS) all
	@$(OUT)/zipring dev --dir build/dev

test: deps-test ## install, build and pass every test; ends with `N passed, N failed`
	@$(MAKE) -j$(JOBS) all tests-all
	@BUILD=$(CURDIR)/$(OUT) tests/run.sh tests/tidy.sh tests/rules.py $(UNIT_TESTS) $(wildcard tests/fuzz/smoke.sh) \
	    $(INTEGRATION_TESTS) $(call scripts,integration model sim switch) $(CRASH_TESTS) $(call scripts,crash)

tests-all: $(UNIT_TESTS) $(INTEGRATION_TESTS) $(CRASH_TESTS) $(PRELOADS)

test-unit: $(UNIT_TESTS) ## only tests/unit, in this MODE
	@BUILD=$(CURDIR)/$(OUT) tests/run.sh $^

test-integration: $(PROGRAMS) $(LIBRARIES) $(INTEGRATION_TESTS) ## only integration, model and sim, in this MODE
	@BUILD=$(CURDIR)/$(OUT) tests/run.sh $(INTEGRATION_TESTS) $(call scripts,integration model sim switch)

# CRASH_VOLUME: ci (what `make test` runs) or full.
crash: $(PROGRAMS) $(LIBRARIES) $(CRASH_TESTS) $(PRELOADS) ## kill and power-loss tests in their full volume
	@BUILD=$(CURDIR)/$(OUT) CRASH_VOLUME=$${CRASH_VOLUME:-full} tests/run.sh -t 7200 $(CRASH_TESTS) $(call scripts,crash)

.PHONY: bench
bench: ## null server, ROUTE, durable CONNECT, and the decision in process; figures into build/bench.json
	@$(MAKE) -j$(JOBS) all $(OUT)/bench-decision
	@BUILD=$(CURDIR)/$(OUT) bench/bench.sh

# ---- check -------------------------------------------------------------------------------------
C_FILES    := $(shell find protocol server client bench tests -name '*.[ch]' 2>/dev/null | sort)
LINT_FILES := $(filter %.c,$(C_FILES))

.PHONY: check check-format check-tidy check-lint check-cppcheck check-analyzer check-compilers check-san check-tsan
check: deps ## format, tidy, clang-tidy, cppcheck, analyzer, both compilers, sanitizers
	@$(MAKE) check-format check-tidy
	@$(MAKE) -j$(JOBS) check-lint check-cppcheck
	@$(MAKE) check-analyzer check-compilers
	@$(MAKE) check-san check-tsan

check-format:
	@echo "  FORMAT" && clang-format --dry-run -Werror $(C_FILES)

check-tidy:
	tests/tidy.sh

check-lint: $(LINT_FILES:%=lint/%)
lint/%: %
	@echo "  TIDY  $<" && clang-tidy --quiet $< -- -std=c11 $(DEFINES) 2> >(grep -v 'warnings\? .*generated' >&2)

check-cppcheck:
	@echo "  CPPCHECK" && cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability --inline-suppr \
	    --suppress=missingIncludeSystem --suppress=unknownMacro $(DEFINES) -j$(JOBS) $(LINT_FILES)

# The analyzer is a compile of its own; its -Wno- are findings that gcc 12 is known to get wrong.
check-analyzer: $(patsubst %.c,build/analyzer/%.o,$(SRC_protocol) $(SRC_server) $(wildcard server/main.c) $(SRC_client))
build/analyzer/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CHECK $<)gcc $(CFLAGS) -fanalyzer -MMD -MP -c $< -o $@

check-compilers:
	@$(MAKE) -j$(JOBS) CC=gcc all tests-all
	@$(MAKE) -j$(JOBS) CC=clang all tests-all

check-san:
	@$(MAKE) -j$(JOBS) MODE=san all tests-all
	@$(MAKE) MODE=san test-unit
	@$(MAKE) MODE=san test-integration

# The threaded parts: what starts a committer or a second thread.
check-tsan:
	@$(MAKE) -j$(JOBS) MODE=tsan all tests-all
	@$(MAKE) MODE=tsan test-unit
	@$(MAKE) MODE=tsan test-integration

# ---- fuzz --------------------------------------------------------------------------------------
FUZZ_SECONDS ?= 60

.PHONY: fuzz fuzzers
fuzz: deps-test ## every fuzz target for FUZZ_SECONDS (60) under ASan and UBSan
	@$(MAKE) -j$(JOBS) MODE=fuzz CC=clang fuzzers
	@tests/fuzz/run.sh $(FUZZ_SECONDS) build/fuzz-clang/fuzz

fuzzers: $(FUZZERS)

# ---- coverage ----------------------------------------------------------------------------------
.PHONY: cover
cover: deps ## branch coverage of protocol/ and server/domain/; fails below 95 %
	@$(MAKE) -j$(JOBS) MODE=cover CC=clang all tests-all
	@tests/cover.sh build/cover-clang 95

# ---- what is proven, and whether the tests would notice ----------------------------------------
.PHONY: rules museum
rules: deps-test ## every rule, invariant and case with the tests that prove it; fails on a gap
	@tests/rules.py

# MUSEUM: exhibits by number, e.g. MUSEUM="03 17"; all of them without.
museum: deps ## plant one bug after another in a copy; fails when the suite misses one
	@$(MAKE) -j$(JOBS) all
	@tests/museum/run.sh $(MUSEUM)

# ---- generated documents -----------------------------------------------------------------------
.PHONY: docs
docs: $(OUT)/tests/docs/describe $(OUT)/tests/docs/vectors ## write PROTOCOL.md's tables, the vectors and the fuzz seeds again
	@tests/docs/refresh.sh $(OUT)/tests/docs

.PHONY: nightly
nightly: ## everything long: check, cover, museum, fuzz for hours, crash in full, bench
	@$(MAKE) check
	@$(MAKE) cover
	@$(MAKE) museum
	@$(MAKE) fuzz FUZZ_SECONDS=1800
	@$(MAKE) crash CRASH_VOLUME=full
	@BUILD=$(CURDIR)/$(OUT) MODEL_VOLUME=nightly timeout 14400 $(OUT)/tests/model/test_model
	@$(MAKE) bench

# ---- install -----------------------------------------------------------------------------------
BINDIR     := $(DESTDIR)$(PREFIX)/bin
LIBDIR     := $(DESTDIR)$(PREFIX)/lib
INCLUDEDIR := $(DESTDIR)$(PREFIX)/include/zipring
MANDIR     := $(DESTDIR)$(PREFIX)/share/man
DOCDIR     := $(DESTDIR)$(PREFIX)/share/doc/zipring
# What <zipring.h> includes, directly or not.
PUBLIC     := $(addprefix protocol/,message.h frame.h types.h builder.h reader.h status.h messages.def enums.def outcomes.def)
MANUALS    := $(wildcard client/man/*.scd client/cli/*.scd server/*.scd bench/*.scd)

.PHONY: install
install: all ## into PREFIX (/usr/local) under DESTDIR: programs, library, headers, manuals, pkg-config
	install -d $(BINDIR) $(LIBDIR)/pkgconfig $(INCLUDEDIR)/protocol $(DOCDIR)
	install -m 755 $(PROGRAMS) $(BINDIR)
	install -m 644 $(OUT)/libzipring.a $(LIBDIR)
	install -m 755 $(OUT)/libzipring.so.1 $(LIBDIR)/libzipring.so.$(VERSION)
	ln -sf libzipring.so.$(VERSION) $(LIBDIR)/libzipring.so.1
	ln -sf libzipring.so.1 $(LIBDIR)/libzipring.so
	install -m 644 client/include/zipring.h $(INCLUDEDIR)
	install -m 644 $(PUBLIC) $(INCLUDEDIR)/protocol
	install -m 644 protocol/PROTOCOL.md LICENSE NOTICE $(DOCDIR)
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' client/zipring.pc.in > $(LIBDIR)/pkgconfig/zipring.pc
	@for manual in $(MANUALS); do name=$$(basename $$manual .scd); section=$${name##*.}; \
	    install -d $(MANDIR)/man$$section && scdoc < $$manual > $(MANDIR)/man$$section/$$name || exit 1; done

# ---- the rest ----------------------------------------------------------------------------------
.PHONY: clean help
clean: ## remove build/
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1\t\2/p' Makefile | expand -t 20
