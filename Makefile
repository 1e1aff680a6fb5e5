# Croft's build. `make help` lists the targets.
#   make                    build/croft and build/libcroft.a
#   make BUILD=build-asan SAN=address,undefined test-unit     any variant, in its own folder
#   SAN_EXCEPT=kern leaves modules out of SAN

BUILD   ?= build
CC      ?= cc
AR      ?= ar
PREFIX  ?= /usr/local
SAN     ?=
SAN_EXCEPT ?=
V       ?= 0
OPT     ?= -O3
WERROR  ?= -Werror

include mk/modules.mk
include mk/isa.mk

VERSION := 0.1.0
PKGCONF ?= pkg-config
ALL_LIBS := $(sort $(foreach m,$(MODULES),$(LIBS_$(m))))
LIB_CFLAGS := $(shell $(PKGCONF) --cflags $(ALL_LIBS) 2>/dev/null)
LIB_LDLIBS := $(shell $(PKGCONF) --libs $(ALL_LIBS) 2>/dev/null)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla \
        -Wno-unused-parameter -Wno-sign-compare -Wno-unknown-warning-option -Wno-maybe-uninitialized -Wno-format-truncation $(WERROR)
CFLAGS_ALL = -std=gnu11 $(OPT) -g -fno-strict-aliasing -fvisibility=hidden -fPIC -ffp-contract=off $(WARN) \
        -D_GNU_SOURCE -DCROFT_VERSION='"$(VERSION)"' -include src/base/api/base_banned.h -Iinclude \
        $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all) $(CFLAGS)
LDFLAGS_ALL = $(if $(SAN),-fsanitize=$(SAN)) $(LDFLAGS)
LDLIBS_ALL = $(LIB_LDLIBS) -lpthread -lm

# Sources and objects of a module; src/kern has one folder per architecture.
kern_srcs = $(wildcard src/kern/*.c) $(foreach d,$(KERN_DIRS),$(wildcard src/kern/$(d)/*.c))
srcs = $(if $(filter kern,$(1)),$(kern_srcs),$(wildcard src/$(1)/*.c))
objs = $(patsubst src/%.c,$(BUILD)/%.o,$(call srcs,$(1)))
incs = -Isrc/$(1) -Isrc/$(1)/api $(foreach d,$(DEPS_$(1)),-Isrc/$(d)/api)
all_incs = $(foreach m,$(MODULES),-Isrc/$(m)/api)

LIB_MODULES := $(filter-out cli,$(MODULES))
LIB_OBJS := $(foreach m,$(LIB_MODULES),$(call objs,$(m)))
CLI_OBJS := $(call objs,cli)

Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' '$(1)' '$(2)')

.DEFAULT_GOAL := all
.PHONY: all help demo test test-unit tests-build test-cli lint checkkern fuzz fuzz-build bench bench-grammar bench-upstream bench-redact bench-serve docs docs-check install clean
all: $(BUILD)/croft $(BUILD)/libcroft.a                 ## the program and the library

# A module sees the flags of its own libraries alone; plat and kern have none, so they cross-compile.
define module_rules
LIB_CFLAGS_$(1) := $(if $(LIBS_$(1)),$(shell $(PKGCONF) --cflags $(LIBS_$(1)) 2>/dev/null))
$(BUILD)/$(1)/%.o: src/$(1)/%.c Makefile mk/modules.mk mk/isa.mk
	@mkdir -p $$(@D)
	$(call say,CC,$$<)
	$(Q)$(CC) $(CFLAGS_ALL) $(if $(filter $(1),$(SAN_EXCEPT)),-fno-sanitize=all) $$(LIB_CFLAGS_$(1)) $(call incs,$(1)) $$(call isa_flags,$$<) $$(call isa_san,$$<) -MMD -MP -c $$< -o $$@
endef
$(foreach m,$(MODULES),$(eval $(call module_rules,$(m))))

$(BUILD)/libcroft.a: $(LIB_OBJS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/croft: $(CLI_OBJS) $(BUILD)/libcroft.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) $(CLI_OBJS) $(BUILD)/libcroft.a $(LDLIBS_ALL) -o $@

# Unit tests: tests/unit/<module>/test_<name>.c becomes build/tests/<module>/test_<name> (cmocka).
UNIT_SRCS := $(wildcard tests/unit/*/test_*.c)
UNIT_BINS := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(UNIT_SRCS))
$(BUILD)/tests/%: tests/unit/%.c $(BUILD)/libcroft.a $(wildcard tests/unit/*.h)
	@mkdir -p $(@D)
	$(call say,TEST,$<)
	$(Q)$(CC) $(CFLAGS_ALL) -Wno-missing-prototypes $(LIB_CFLAGS) $(all_incs) -Isrc/$(notdir $(patsubst %/,%,$(dir $<))) -Itests/unit $< \
	    $(LDFLAGS_ALL) $(BUILD)/libcroft.a -lcmocka $(LDLIBS_ALL) -o $@

# The kernel check needs plat, base and kern alone, so that it cross-compiles without any library.
KERN_OBJS := $(foreach m,plat kern,$(call objs,$(m))) $(BUILD)/base/err.o $(BUILD)/base/mem.o \
        $(BUILD)/base/clock.o
$(BUILD)/checkkern: tests/kern/checkkern.c $(KERN_OBJS)
	$(call say,TEST,$<)
	$(Q)$(CC) $(CFLAGS_ALL) $(all_incs) -Isrc/kern $^ $(LDFLAGS_ALL) -lpthread -lm -o $@
checkkern: $(BUILD)/checkkern                           ## compare every kernel level with plain C
	$(Q)$(BUILD)/checkkern

test-unit: $(UNIT_BINS)                                 ## unit tests alone
	$(Q)tests/run_unit.sh $(UNIT_BINS)
tests-build: $(UNIT_BINS) $(BUILD)/checkkern

# Fuzz targets: tests/fuzz/fuzz_<name>.c becomes build/fuzz/<name>, by default with a driver that replays and mutates
# files; tests/fuzz/run.sh links libFuzzer instead.
FUZZ_ENGINE ?= tests/fuzz/driver.c
FUZZ_NAMES := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
$(BUILD)/fuzz/%: tests/fuzz/fuzz_%.c tests/fuzz/driver.c $(BUILD)/libcroft.a
	@mkdir -p $(@D)
	$(call say,FUZZ,$<)
	$(Q)$(CC) $(CFLAGS_ALL) $(LIB_CFLAGS) $(all_incs) -Isrc/task -Isrc/route $< $(FUZZ_ENGINE) $(LDFLAGS_ALL) $(BUILD)/libcroft.a $(LDLIBS_ALL) -o $@
fuzz-build: $(addprefix $(BUILD)/fuzz/,$(FUZZ_NAMES))
fuzz: fuzz-build                                        ## replay the fuzz corpora, with mutants
	$(Q)for f in $(FUZZ_NAMES); do echo "$$f:"; $(BUILD)/fuzz/$$f tests/fuzz/corpus/$$f || exit 1; done
test-cli: all                                           ## the program as its users see it
	$(Q)tests/cli/run.sh $(BUILD)/croft
docs: all                                               ## write docs/cli.md and the table of docs/ERRORS.md
	$(Q)scripts/docs $(BUILD)/croft
bench: all                                              ## beside a peer: make bench LLAMA_CPP_BIN=folder [MODELS="…"]
	$(Q)CROFT=$(BUILD)/croft BENCH_MODELS=$(or $(BENCH_MODELS),$(BUILD)/bench-models) \
	    $(if $(LLAMA_CPP_BIN),LLAMA_CPP_BIN=$(LLAMA_CPP_BIN)) python3 bench/bench.py $(MODELS)
$(BUILD)/bench-%: bench/%.c $(BUILD)/libcroft.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS_ALL) $(LIB_CFLAGS) $(all_incs) $< $(LDFLAGS_ALL) $(BUILD)/libcroft.a $(LDLIBS_ALL) -o $@
bench-grammar: $(BUILD)/bench-grammar                   ## what constrained decoding costs: make bench-grammar VOCAB=file
	$(Q)$(BUILD)/bench-grammar $(VOCAB) bench/grammar/*
bench-upstream: $(BUILD)/bench-upstream                 ## what asking another tier adds, at 1,000 requests/s
	$(Q)$(BUILD)/bench-upstream latency
bench-redact: $(BUILD)/bench-redact                     ## what redaction costs: make bench-redact TEXTS="files"
	$(Q)$(BUILD)/bench-redact $(TEXTS)
bench-serve: all                                        ## croft serve beside llama-server: make bench-serve MODEL=file.gguf
	$(Q)CROFT=$(BUILD)/croft $(if $(LLAMA_CPP_BIN),LLAMA_CPP_BIN=$(LLAMA_CPP_BIN)) python3 bench/serve.py $(MODEL) $(LABELS)
docs-check: all
	$(Q)scripts/docs $(BUILD)/croft --check

-include $(LIB_OBJS:.o=.d) $(CLI_OBJS:.o=.d)

test:                                                   ## everything: lint, units, kernels, command line
	$(Q)scripts/test
demo:                                                   ## build, look at this machine, run the demo model
	$(Q)scripts/demo
lint: all                                               ## what a script can check of the house rules
	$(Q)tests/lint/lint.sh $(BUILD)
install: all                                            ## to PREFIX (default /usr/local)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/include/croft
	install -m 755 $(BUILD)/croft $(DESTDIR)$(PREFIX)/bin/croft
	install -m 644 $(BUILD)/libcroft.a $(DESTDIR)$(PREFIX)/lib/libcroft.a
	install -m 644 include/croft/*.h $(DESTDIR)$(PREFIX)/include/croft/
	printf 'prefix=%s\nName: croft\nDescription: Answer AI work on hardware you own\nVersion: %s\nLibs: -L$${prefix}/lib -lcroft -lpthread -lm\nRequires: %s\nCflags: -I$${prefix}/include\n' \
	    '$(PREFIX)' '$(VERSION)' '$(ALL_LIBS)' > $(DESTDIR)$(PREFIX)/lib/pkgconfig/croft.pc
clean:                                                  ## remove build folders
	rm -rf build build-*
help:                                                   ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|'
