# make          the programs, in build/
# make check    quick tests; SAN=address,undefined for sanitizers
# make test     everything, the real servers included
# make demo     the digits ensemble, start to finish
# The rest: all bench fuzz lint fmt install clean

CC     ?= gcc
BUILD  ?= build$(if $(SAN),-san)
PREFIX ?= /usr/local
PKGS   := libuv libseccomp libcrypto libzstd jansson

CFLAGS ?= -O2 -g
WARN   := -Wall -Wextra -Wpedantic -Wshadow -Wmissing-prototypes
ALL_CFLAGS = -std=c17 -D_GNU_SOURCE $(WARN) $(CFLAGS) -Iinclude \
	$(shell pkg-config --cflags $(PKGS)) $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer)
ALL_LDLIBS = $(shell pkg-config --libs $(PKGS)) -llmdb -lpthread -lm $(if $(SAN),-fsanitize=$(SAN))

LIB_SRC  := $(wildcard src/*.c src/*/*.c)
LIB_OBJ  := $(LIB_SRC:%.c=$(BUILD)/%.o)
GG_OBJ   := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tools/*.c))
TESTS    := $(patsubst test/%.c,$(BUILD)/test/%,$(wildcard test/t_*.c))
TESTS_SH := $(wildcard test/*.sh)

.PHONY: all deps check test demo bench fuzz lint fmt install clean
.DELETE_ON_ERROR:
all: deps $(BUILD)/gg

deps:
	@tools/install-deps.sh

$(BUILD)/gg: $(GG_OBJ) $(BUILD)/libgg.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(ALL_LDLIBS)

$(BUILD)/libgg.a: $(LIB_OBJ)
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/test/%: test/%.c test/test.h $(BUILD)/libgg.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< $(BUILD)/libgg.a $(ALL_LDLIBS)

clean:
	rm -rf build build-san

-include $(wildcard $(BUILD)/*/*.d $(BUILD)/*/*/*.d)
