# `make cortexm`: what runs on the Cortex-M board, in $(BUILD)/cortexm. Three kinds of programs:
# loader-SCHEME.elf, platform.elf (libraries and drivers in ROM), and the application, linked at two
# addresses (application-a.bin, application-b.bin), so that the bench can move it to any slot.
# Included by the Makefile.
CM       := $(BUILD)/cortexm
CM_CC    := arm-none-eabi-gcc
CM_GUEST := sim/cortexm/guest
CM_LIBS  := $(CM)/src

# What is missing, for a clear word; empty when all is there.
CM_MISSING := $(shell sh ci/libraries '$(CC)' arm 2>/dev/null)

CM_FLAGS := -mcpu=cortex-m3 -mthumb -Os -g -ffunction-sections -fdata-sections -fstack-usage \
            -specs=nano.specs -std=c11 -D_GNU_SOURCE
CM_WARN  := $(WARN)
# The loader is small enough only when the compiler sees all of it at once.
CM_LTO   := -flto -flto-partition=one
# What makes the agent's code smaller still, at the cost of time.
CM_SMALL := -fno-move-loop-invariants -fno-schedule-insns2 -fno-if-conversion
CM_INC   := -I. -isystem $(CM)/include -isystem $(CM_LIBS)/mbedtls/include
CM_LINK  := $(CM_FLAGS) -nostartfiles -Wl,--gc-sections \
            -Wl,--fatal-warnings -Wl,--no-warn-rwx-segments

CM_SCHEMES := overwrite swap-move swap-scratch swap-status ranked
CM_LOADERS := $(CM_SCHEMES) $(CM_SCHEMES:%=%-rsa)

# Sources that are no tests.
cm_sources = $(filter-out %_test.c %_fuzz.c,$(wildcard $(1)))

CM_AGENT_BASE := agent/crc32.c agent/error_words.c agent/flash_area.c agent/ring.c agent/twin.c
CM_DRIVERS    := $(addprefix $(CM_GUEST)/,board.c crypto.c fault.c flash.c libc.c nv.c retained.c \
                   semihost.c stack.c uart.c)

CM_LOADER_SRC := $(CM_AGENT_BASE) $(call cm_sources,agent/image/*.c) \
                 $(call cm_sources,agent/store/*.c) $(call cm_sources,agent/boot/*.c) \
                 sim/power_on.c sim/device_layout.c sim/line.c \
                 $(CM_DRIVERS) $(addprefix $(CM_GUEST)/,crypto_rsa.c settings.c loader.c)
# Signatures; the network's part adds to the platform's.
CM_LOADER_LIB := $(addprefix mbedtls/library/,asn1parse.c asn1write.c bignum.c constant_time.c \
                   ecdsa.c ecp.c ecp_curves.c md.c oid.c platform.c platform_util.c rsa.c \
                   rsa_internal.c sha256.c)

CM_PLATFORM_SRC := $(CM_DRIVERS) sim/device_layout.c sim/line.c \
                   $(addprefix $(CM_GUEST)/,clock.c crypto_rsa.c platform.c random.c)
CM_PLATFORM_LIB := $(CM_LOADER_LIB)
include $(CM_GUEST)/net/net.mk

CM_APPLICATION_SRC := agent/errors.c $(CM_AGENT_BASE) $(call cm_sources,agent/image/*.c) \
                      $(call cm_sources,agent/store/*.c) $(call cm_sources,agent/boot/*.c) \
                      $(call cm_sources,agent/delta/*.c) \
                      $(call cm_sources,agent/update/*.c) \
                      $(call cm_sources,agent/protocol/*.c) \
                      $(addprefix sim/,act.c app.c app_tag.c life.c power_on.c push.c systems.c timing.c) \
                      $(addprefix $(CM_GUEST)/,schemes.c settings.c settings_session.c net/net.c \
                        application.c)
CM_APPLICATION_LIB := cjson/cJSON.c

# What a device links that has little: never run, its size is what counts.
CM_MINIMAL_SRC := agent/errors.c $(CM_AGENT_BASE) $(call cm_sources,agent/image/*.c) \
                  $(call cm_sources,agent/update/*.c) $(call cm_sources,agent/protocol/*.c) \
                  $(CM_GUEST)/agent_minimal.c

cm_objects = $(patsubst %.c,$(CM)/obj/$(1)/%.o,$(2))

CM_LOADER_OBJ      := $(call cm_objects,loader,$(CM_LOADER_SRC) $(addprefix lib/,$(CM_LOADER_LIB)))
CM_PLATFORM_OBJ    := $(call cm_objects,platform,$(CM_PLATFORM_SRC) \
                        $(addprefix lib/,$(CM_PLATFORM_LIB)))
CM_APPLICATION_OBJ := $(call cm_objects,application,$(CM_APPLICATION_SRC) \
                        $(addprefix lib/,$(CM_APPLICATION_LIB)))
CM_MINIMAL_OBJ     := $(call cm_objects,minimal,$(CM_MINIMAL_SRC))
CM_SCHEME_OBJ      := $(CM_LOADERS:%=$(CM)/obj/loader/scheme-%.o)

$(CM_LOADER_OBJ): CM_CONFIG := -DMBEDTLS_CONFIG_FILE='"$(CM_GUEST)/mbedtls_loader.h"' $(CM_LTO)
# Its parts are constants (parts.h there takes the place of agent/update/parts.h).
$(CM_MINIMAL_OBJ): CM_CONFIG := -I$(CM_GUEST)/minimal $(CM_LTO) $(CM_SMALL) -fipa-pta
$(CM_PLATFORM_OBJ) $(CM_APPLICATION_OBJ): \
    CM_CONFIG := -DMBEDTLS_CONFIG_FILE='"$(CM_GUEST)/mbedtls_platform.h"' $(CM_NET_FLAGS)
$(call cm_objects,platform,$(addprefix lib/,$(CM_PLATFORM_FAST))): CM_CONFIG += -O2
$(filter $(CM)/obj/application/agent/%,$(CM_APPLICATION_OBJ)): CM_CONFIG += $(CM_SMALL)

$(CM)/flags: FORCE
	$(call remember,$(CM_CC) $(CM_FLAGS) $(CM_WARN) $(CM_INC) $(CM_LINK) $(CM_LTO) $(CM_SMALL))

$(CM_LIBS)/fetched: ci/sources
	@mkdir -p $(@D) $(CM)/include
	@sh ci/sources $(CM_LIBS)
	@ln -sfn ../src/cjson $(CM)/include/cjson
	@ln -sfn ../src/http-parser/http_parser.h $(CM)/include/http_parser.h
	@touch $@

# Libraries are compiled as they are, our own files under our own warnings.
define cm_rules
$(filter $(CM)/obj/$(1)/lib/%,$(2)): $(CM)/obj/$(1)/lib/%.o: $(CM_LIBS)/fetched $(CM)/flags
	@mkdir -p $$(@D)
	$$(call say,ARM,$$*.c)
	$$(run)$(CM_CC) $(CM_FLAGS) -w $(CM_INC) $$(CM_CONFIG) -MMD -MP -c $(CM_LIBS)/$$*.c -o $$@
$(filter-out $(CM)/obj/$(1)/lib/%,$(2)): $(CM)/obj/$(1)/%.o: %.c $(CM_LIBS)/fetched $(CM)/flags
	@mkdir -p $$(@D)
	$$(call say,ARM,$$<)
	$$(run)$(CM_CC) $(CM_FLAGS) $(CM_WARN) $$(CM_CONFIG) $(CM_INC) -MMD -MP -c $$< -o $$@
endef
$(eval $(call cm_rules,loader,$(CM_LOADER_OBJ)))
$(eval $(call cm_rules,platform,$(CM_PLATFORM_OBJ)))
$(eval $(call cm_rules,application,$(CM_APPLICATION_OBJ)))
$(eval $(call cm_rules,minimal,$(CM_MINIMAL_OBJ)))

$(CM_SCHEME_OBJ): $(CM)/obj/loader/scheme-%.o: $(CM_GUEST)/loader_scheme.c $(CM)/flags
	@mkdir -p $(@D)
	$(call say,ARM,$< $*)
	$(run)$(CM_CC) $(CM_FLAGS) $(CM_WARN) $(CM_INC) $(CM_LTO) \
	    -DLOADER_SCHEME=boot_$(subst -,_,$(*:%-rsa=%)) \
	    -DLOADER_RSA=$(if $(filter %-rsa,$*),guest_verify_rsa,NULL) -MMD -MP -c $< -o $@

$(CM_LOADERS:%=$(CM)/loader-%.elf): $(CM)/loader-%.elf: $(CM)/obj/loader/scheme-%.o $(CM_LOADER_OBJ) $(CM_GUEST)/loader.ld
	$(call say,LINK,$@)
	$(run)$(CM_CC) $(CM_LINK) $(CM_LTO) -T $(CM_GUEST)/loader.ld -Wl,-Map=$(@:.elf=.map) \
	    $(filter %.o,$^) -o $@

# The platform holds what the application asks for, and what that needs: nothing else has a root.
$(CM)/platform.needs: $(CM_APPLICATION_OBJ)
	$(run)arm-none-eabi-ld -r $^ -o $(CM)/application.o
	$(run)arm-none-eabi-nm -u $(CM)/application.o | awk '{ print "-Wl,-u," $$2 }' >$@

$(CM)/platform.elf: $(CM_PLATFORM_OBJ) $(CM)/platform.needs $(CM_GUEST)/platform.ld
	$(call say,LINK,$@)
	$(run)$(CM_CC) $(CM_LINK) -T $(CM_GUEST)/platform.ld -Wl,-Map=$(@:.elf=.map) \
	    -Wl,-e,platform_start @$(CM)/platform.needs $(CM_PLATFORM_OBJ) -o $@

$(CM)/application-a.elf: CM_ORIGIN := 0x21000020
$(CM)/application-b.elf: CM_ORIGIN := 0x21100020
$(CM)/application-a.elf $(CM)/application-b.elf: $(CM_APPLICATION_OBJ) $(CM)/platform.elf $(CM_GUEST)/application.ld
	$(call say,LINK,$@)
	$(run)$(CM_CC) $(CM_LINK) -nostdlib -Wl,--just-symbols=$(CM)/platform.elf \
	    -Wl,--defsym=APPLICATION_ORIGIN=$(CM_ORIGIN) -T $(CM_GUEST)/application.ld \
	    -Wl,-Map=$(@:.elf=.map) $(CM_APPLICATION_OBJ) -o $@

$(CM)/application-a.bin $(CM)/application-b.bin: %.bin: %.elf
	$(run)arm-none-eabi-objcopy -O binary $< $@

CM_PRODUCTS := $(CM_LOADERS:%=$(CM)/loader-%.elf) $(CM)/platform.elf \
               $(CM)/application-a.bin $(CM)/application-b.bin

# Somebody else's firmware, as an example: loader, two versions, device file.
CM_EXAMPLE := $(CM)/example
CM_EXAMPLE_FLAGS := -mcpu=cortex-m3 -mthumb -Os -ffreestanding -fno-tree-loop-distribute-patterns \
                    -std=gnu11 -I. -Wall -Wextra -Werror -nostdlib \
                    -T sim/cortexm/example/guest/example.ld

$(CM_EXAMPLE)/loader.elf: sim/cortexm/example/guest/loader.c $(wildcard sim/cortexm/example/guest/*.h)
	@mkdir -p $(@D)
	$(call say,ARM,$<)
	$(run)$(CM_CC) $(CM_EXAMPLE_FLAGS) -Wl,--defsym=EXAMPLE_ORIGIN=0 $< -o $@

$(CM_EXAMPLE)/application-%.bin: sim/cortexm/example/guest/application.c $(wildcard sim/cortexm/example/guest/*.h)
	@mkdir -p $(@D)
	$(call say,ARM,$< $*)
	$(run)$(CM_CC) $(CM_EXAMPLE_FLAGS) -DVERSION='"$*"' -Wl,--defsym=EXAMPLE_ORIGIN=0x21008000 $< \
	    -o $(@:.bin=.elf)
	$(run)arm-none-eabi-objcopy -O binary $(@:.bin=.elf) $@

$(CM_EXAMPLE)/example.device: sim/cortexm/example/example.device
	@mkdir -p $(@D)
	@cp $< $@

# The loader in $(CM_PLANTED), with whatever mistake somebody planted there (ci/cortexm).
.PHONY: cortexm-planted
cortexm-planted:
	$(run)$(CM_CC) $(CM_EXAMPLE_FLAGS) -Wl,--defsym=EXAMPLE_ORIGIN=0 $(CM_PLANTED)/loader.c \
	    -o $(CM_PLANTED)/loader.elf

CM_PRODUCTS += $(addprefix $(CM_EXAMPLE)/,loader.elf application-1.bin application-2.bin example.device)

# Libraries and the chip are left out: nothing but the agent and its main is counted.
$(CM)/agent-minimal.elf: $(CM_MINIMAL_OBJ)
	$(call say,LINK,$@)
	$(run)$(CM_CC) $(CM_LINK) $(CM_LTO) $(CM_SMALL) -fipa-pta -nostdlib -Wl,-e,agent_minimal -Wl,-u,agent_minimal \
	    -Wl,--unresolved-symbols=ignore-all $^ -o $@

# What a patch costs the processor (ci/patches): a program of its own in the loader's place.
CM_COST_SRC := $(CM_AGENT_BASE) $(call cm_sources,agent/delta/*.c) sim/line.c \
               $(addprefix $(CM_GUEST)/,libc.c semihost.c patch_cost.c)
CM_COST_OBJ := $(call cm_objects,cost,$(CM_COST_SRC))
$(eval $(call cm_rules,cost,$(CM_COST_OBJ)))
$(CM)/patch-cost.elf: $(CM_COST_OBJ) $(CM_GUEST)/loader.ld
	$(call say,LINK,$@)
	$(run)$(CM_CC) $(CM_LINK) -T $(CM_GUEST)/loader.ld -Wl,-e,patch_cost_start \
	    -Wl,-Map=$(@:.elf=.map) $(CM_COST_OBJ) -o $@

# How much RAM agents' states take: the sizes of objects that are nothing else.
$(CM)/agent-state.o: sim/cortexm/guest/agent_state.c $(CM_LIBS)/fetched $(CM)/flags
	$(run)$(CM_CC) $(CM_FLAGS) $(CM_WARN) $(CM_INC) -MMD -MP -c $< -o $@

$(CM)/sizes.md: ci/sizes ci/sizes.awk ci/budgets $(CM_PRODUCTS) $(CM)/agent-state.o $(CM)/agent-minimal.elf
	@sh ci/sizes $(CM)

.PHONY: cortexm
ifeq ($(CM_MISSING),)
cortexm: $(CM)/sizes.md
else
cortexm:
	@echo 'cortexm: skipped, missing: $(CM_MISSING) (sh ci/setup arm)'
endif

# Writes the table into its page, with the stacks that it measures.
.PHONY: cortexm-page
cortexm-page: $(BUILD)/nobrick cortexm
	@$(BUILD)/nobrick bench board >$(CM)/board.md
	@sh ci/sizes $(CM) sim/cortexm/README.md >/dev/null

# The same of the tables of patches.
.PHONY: cortexm-patches
cortexm-patches: cortexm $(BUILD)/nobrick
	@sh ci/patches $(BUILD) agent/delta/README.md

# Every cut on the board, and many kills: hours.
.PHONY: cortexm-full
cortexm-full: $(BUILD)/nobrick cortexm $(BUILD)/test/harness_run_board_kill_test
	+@MAKE="$(MAKE)" sh ci/cortexm $(BUILD) full

# For tests, which skip what needs the board: not built is no error, but is said.
.PHONY: cortexm-if-possible
cortexm-if-possible:
	+@$(MAKE) cortexm || echo 'cortexm: not built, what needs it is skipped' >&2

-include $(patsubst %.o,%.d,$(CM_SCHEME_OBJ) $(CM_LOADER_OBJ) $(CM_PLATFORM_OBJ) $(CM_APPLICATION_OBJ) \
           $(CM_MINIMAL_OBJ) $(CM_COST_OBJ) $(CM)/agent-state.o)
