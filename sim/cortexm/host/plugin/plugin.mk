# The TCG plugin that QEMU loads, and the guest of its test. Included by the Makefile.
# With flags of its own: QEMU could not load it with those of the sanitizers.
PLUGIN        := $(BUILD)/flash_plugin.so
PLUGIN_SRC    := $(filter-out %_test.c %_fuzz.c,$(filter flashsim/% sim/cortexm/host/plugin/%,$(SOURCES))) \
                 sim/device_flash.c sim/device_layout.c
PLUGIN_OBJ    := $(PLUGIN_SRC:%.c=$(BUILD)/pic/%.o)
PLUGIN_CFLAGS := -O2 -g -fPIC -fvisibility=hidden -ffunction-sections -fdata-sections

$(BUILD)/pic/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(run)$(CC) $(STD) $(PLUGIN_CFLAGS) -MMD -MP -c $< -o $@

$(PLUGIN): $(PLUGIN_OBJ)
	$(call say,LINK,$@)
	$(run)$(CC) -shared -Wl,--gc-sections -o $@ $^

ARM_CC    ?= arm-none-eabi-gcc
HAVE_ARM  := $(shell command -v $(ARM_CC))
GUEST_DIR := sim/cortexm/host/plugin/guest
GUEST_ELF := $(BUILD)/plugin_guest.elf

$(GUEST_ELF): $(GUEST_DIR)/guest.c $(GUEST_DIR)/guest.h $(GUEST_DIR)/guest.ld
	@mkdir -p $(@D)
	$(call say,ARM,$@)
	$(run)$(ARM_CC) -std=c11 -I. $(WARN) -mcpu=cortex-m3 -mthumb -Os -ffreestanding -fno-builtin \
		-fno-tree-loop-distribute-patterns -nostdlib -T $(GUEST_DIR)/guest.ld $< -o $@

$(BUILD)/test/sim_cortexm_host_plugin_plugin_test: | $(PLUGIN) $(if $(HAVE_ARM),$(GUEST_ELF))

# What `make cortexm` builds besides guests.
.PHONY: cortexm
cortexm: $(PLUGIN)

-include $(PLUGIN_OBJ:.o=.d)
