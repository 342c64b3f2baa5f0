# nobrick: `make help` lists the targets. Everything is built into $(BUILD).
BUILD  ?= build
PREFIX ?= /usr/local
CFLAGS ?= -O2 -g
ifeq ($(origin CC),default)
CC     := gcc
endif
CLANG  ?= clang
WARN   := -Wall -Wextra -Wshadow -Wconversion -Werror
STD    := -std=c11 -D_GNU_SOURCE -I. $(WARN)
LIBS   := -lpaho-mqtt3as -lcurl -lmicrohttpd -lhttp_parser -lgnutls -lcjson -lssl -lcrypto -lz -lpthread -lm

ASAN_CFLAGS := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
               -fno-sanitize-recover=all
FUZZ_CFLAGS := $(ASAN_CFLAGS) -fsanitize=fuzzer-no-link

# What runs on a Cortex-M is no part of the host's program.
SOURCES := $(shell find agent flashsim sim harness -path 'sim/cortexm/*guest' -prune -o \
             -name '*.c' -print | sort)
# What runs on the board and needs none of it is tested here too.
SOURCES += $(addprefix sim/cortexm/guest/net/,mqtt_cut.c mqtt_cut_test.c tls_verdict.c tls_verdict_test.c)
TESTS   := $(filter %_test.c,$(SOURCES))
FUZZ    := $(filter %_fuzz.c,$(SOURCES))
MAIN    := harness/cli/main.c
LIBSRC  := $(filter-out $(TESTS) $(FUZZ) $(MAIN),$(SOURCES))
OBJ     := $(LIBSRC:%.c=$(BUILD)/obj/%.o)
TESTBIN := $(foreach t,$(TESTS),$(BUILD)/test/$(subst /,_,$(t:.c=)))
FUZZBIN := $(foreach t,$(FUZZ),$(BUILD)/fuzz/$(subst /,_,$(t:.c=)))

# All processors unless -j says otherwise; a sub-make shares the parent's.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 1) --no-print-directory
endif
ifneq ($(filter clean,$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif
.DELETE_ON_ERROR:

# `make V=1` shows whole commands, otherwise one short line each.
ifeq ($(V),1)
say = @:
run :=
else
say = @printf '%-4s %s\n' $(1) '$(2)'
run := @
endif

.PHONY: all
all: $(BUILD)/nobrick

.PHONY: help
help:
	@echo 'make            build $(BUILD)/nobrick'
	@echo 'make demo       watch a device update itself, refuse, revert, and survive power cuts;'
	@echo '                TLS=1: with certificates, DATA=http: images by HTTP ranges'
	@echo 'make test       unit tests and scenarios'
	@echo 'make gate       test, the same under ASan and UBSan, a short fuzz, bricks, house rules'
	@echo 'make bricks     are the tests worth anything: every mistake of scenarios/bricks must be found'
	@echo 'make bench      measure what README.md and harness/BENCH.md quote, and write it there'
	@echo 'make closures   prove every scheme on every part, and write the table (a quarter of an hour)'
	@echo 'make fuzz       fuzz every parser, FUZZ_SECONDS=60 each'
	@echo 'make format     lay out the sources with clang-format'
	@echo 'make cortexm    loader, platform and application of the Cortex-M board'
	@echo 'make cortexm-full  every power cut on that board, and 200 kills: hours'
	@echo 'make install    into PREFIX=$(PREFIX) (DESTDIR is honoured)'
	@echo 'make clean      remove $(BUILD)'
	@echo 'Variables: BUILD CC CFLAGS PREFIX DESTDIR V=1. Missing packages: sh ci/setup'

# Lists and flags that are not files: rewritten only when they change, so that a source that went
# away or another CFLAGS rebuilds what depends on it.
define remember
@mkdir -p $(@D)
@printf '%s\n' '$(1)' | cmp -s - $@ || printf '%s\n' '$(1)' >$@
endef

$(BUILD)/flags: FORCE
	$(call remember,$(CC) $(STD) $(CFLAGS) $(LIBS))

$(BUILD)/objects: FORCE
	$(call remember,$(OBJ))

.PHONY: FORCE
FORCE:

$(BUILD)/libraries: ci/libraries
	@mkdir -p $(@D)
	@sh ci/libraries '$(CC)'
	@touch $@

$(BUILD)/obj/%.o: %.c $(BUILD)/flags | $(BUILD)/libraries
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(run)$(CC) $(STD) $(CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/libnobrick.a: $(OBJ) $(BUILD)/objects
	$(call say,AR,$@)
	@rm -f $@
	$(run)ar rcs $@ $(OBJ)

$(BUILD)/nobrick: $(BUILD)/obj/harness/cli/main.o $(BUILD)/libnobrick.a $(BUILD)/flags
	$(call say,LINK,$@)
	$(run)$(CC) $(CFLAGS) -o $@ $(filter %.o %.a,$^) $(LIBS)

define test_rule
$(BUILD)/test/$(subst /,_,$(1:.c=)): $(BUILD)/obj/$(1:.c=.o) $(BUILD)/libnobrick.a
	@mkdir -p $$(@D)
	$$(call say,LINK,$$@)
	$$(run)$$(CC) $$(CFLAGS) -o $$@ $$^ $$(LIBS) -lcmocka
endef
$(foreach t,$(TESTS),$(eval $(call test_rule,$(t))))

define fuzz_rule
$(BUILD)/fuzz/$(subst /,_,$(1:.c=)): $(BUILD)/obj/$(1:.c=.o) $(BUILD)/libnobrick.a
	@mkdir -p $$(@D)
	$$(call say,LINK,$$@)
	$$(run)$$(CC) $$(CFLAGS) -fsanitize=fuzzer -o $$@ $$^ $$(LIBS)
endef
$(foreach t,$(FUZZ),$(eval $(call fuzz_rule,$(t))))

include sim/cortexm/host/plugin/plugin.mk

# Parts that ci/ asks for by name.
.PHONY: test-programs fuzz-programs
test-programs: $(TESTBIN)
fuzz-programs: $(FUZZBIN)

# The unit tests are built only where CMocka is; ci/test names the package otherwise.
HAVE_CMOCKA := $(shell sh ci/libraries '$(CC)' cmocka && echo yes)

.PHONY: test-build
test-build: $(BUILD)/nobrick $(if $(HAVE_CMOCKA),$(TESTBIN))

.PHONY: test
test: test-build cortexm-if-possible
	@sh ci/test $(BUILD)

.PHONY: demo
demo:
	@echo 'nobrick demo: building, if anything is to be built'
	@$(MAKE) $(BUILD)/nobrick
	@sh ci/demo $(BUILD)/nobrick

.PHONY: asan-build fuzz-build
asan-build:
	@$(MAKE) BUILD=$(BUILD)/asan CFLAGS='$(ASAN_CFLAGS)' test-build
fuzz-build:
	@$(MAKE) BUILD=$(BUILD)/clang CC='$(CLANG)' CFLAGS='$(FUZZ_CFLAGS)' fuzz-programs

.PHONY: gate
gate:
	+@MAKE="$(MAKE)" sh ci/gate $(BUILD)

.PHONY: fuzz
fuzz: fuzz-build
	@sh ci/fuzz $(BUILD)/clang $(or $(FUZZ_SECONDS),60)

.PHONY: bricks
bricks: $(BUILD)/nobrick
	+@MAKE="$(MAKE)" sh ci/bricks $(BUILD)

.PHONY: bench
bench: $(BUILD)/nobrick
	@sh ci/figures $(BUILD) write
	@$(BUILD)/nobrick bench download

.PHONY: closures
closures: $(BUILD)/nobrick
	@sh ci/figures $(BUILD) closures

include sim/cortexm/cortexm.mk

.PHONY: format
format:
	@find agent flashsim sim harness -name '*.[ch]' -exec clang-format -i {} +

.PHONY: install
install: $(BUILD)/nobrick
	@mkdir -p $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/nobrick
	install -m 755 $(BUILD)/nobrick $(DESTDIR)$(PREFIX)/bin/nobrick
	cp -R scenarios/. $(DESTDIR)$(PREFIX)/share/nobrick/
	install -m 644 harness/prove/plugin.h $(DESTDIR)$(PREFIX)/share/nobrick/plugin/

.PHONY: clean
clean:
	rm -rf $(BUILD)

-include $(OBJ:.o=.d) $(BUILD)/obj/harness/cli/main.d
-include $(TESTS:%.c=$(BUILD)/obj/%.d) $(FUZZ:%.c=$(BUILD)/obj/%.d)
