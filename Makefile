# make          the programs, in build/
# make check    quick tests; SAN=address,undefined for sanitizers, ONLY=t_loop for one
# make test     everything, the real servers included
# make demo     the digits ensemble, start to finish
# make bench    how fast, beside its peers; ROW=infer for one row
# make worker   gg-worker, which needs nothing of the machine it runs on
# The rest: all fuzz lint fmt install clean benches

CC     := $(if $(filter default,$(origin CC)),gcc,$(CC))
BUILD  ?= build$(if $(SAN),-san)
PREFIX ?= /usr/local
DEST   := $(DESTDIR)$(PREFIX)
COMPLETIONS := share/bash-completion/completions
FUZZ   := $(BUILD)-fuzz
CFLAGS ?= -O2 -g
WARN   := -Wall -Wextra -Wpedantic -Wshadow -Wmissing-prototypes
ALL_CFLAGS = -std=c17 -D_GNU_SOURCE $(WARN) $(CFLAGS) -ffunction-sections -fdata-sections -Iinclude $(PKG_CFLAGS) \
	$(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
KERNEL_CFLAGS = -O3 -ffp-contract=off -fno-math-errno -fno-trapping-math
ALL_LDLIBS = $(PKG_LIBS) -lpthread -lm
FUZZ_CFLAGS = $(ALL_CFLAGS) -fno-omit-frame-pointer -fsanitize=address,undefined

LIB_SRC  := $(wildcard src/*.c src/*/*.c)
LIB_OBJ  := $(LIB_SRC:%.c=$(BUILD)/%.o)
ML_OBJ   := $(patsubst %.c,$(BUILD)/%.o,tools/gg-ml.c tools/wrap.c tools/printed.c tools/shown.c $(wildcard tools/ml_*.c))
GG_OBJ   := $(patsubst %.c,$(BUILD)/%.o,$(filter-out tools/gg-ml.c tools/gg-worker.c tools/ml_%,$(wildcard tools/*.c))) $(BUILD)/report_page.o
WORKER_OBJ := $(patsubst %.c,$(BUILD)/%.o,tools/gg-worker.c $(wildcard src/exec/static/*.c)) \
	$(filter-out $(BUILD)/tools/gg.o,$(GG_OBJ))
TESTS    := $(patsubst test/%.c,$(BUILD)/test/%,$(if $(ONLY),$(ONLY:%=test/%.c),$(wildcard test/t_*.c)))
TESTS_SH := $(filter-out test/run.sh test/lib.sh,$(wildcard test/*.sh))
BENCHES  := $(patsubst test/%.c,$(BUILD)/test/%,$(wildcard test/bench/b_*.c))
FUZZERS  := $(patsubst test/fuzz/%.c,$(FUZZ)/%,$(wildcard test/fuzz/f_*.c))

# The GPU's half of gg-ml is a library of its own, opened by --device cuda; CUDA=0 leaves it out.
NVCC   := $(if $(filter 0,$(CUDA)),,$(shell command -v nvcc || ls /usr/local/cuda/bin/nvcc 2>/dev/null))
CU_OBJ := $(patsubst %.cu,$(BUILD)/%.o,$(wildcard src/kernels/*.cu))
NVCC_FLAGS = -std=c++20 -O3 -Iinclude -fmad=false -prec-div=true -prec-sqrt=true -ftz=false \
	-Xcompiler -Wall,-Wextra,-fPIC,-fvisibility=hidden,-fno-exceptions,-fno-rtti,-fno-threadsafe-statics
NVCC_ARCHS = -gencode arch=compute_80,code=sm_80 -gencode 'arch=compute_90,code=[sm_90,compute_90]'

.PHONY: all deps-demo deps-test deps-bench deps-worker worker check test demo benches bench fuzz lint fmt install clean
.DELETE_ON_ERROR:
.SECONDARY:
all: $(BUILD)/gg $(BUILD)/gg-ml $(if $(NVCC),$(BUILD)/gg-ml-cuda.so)

# The libraries' flags, asked for once; making this file also installs what is missing.
ifneq ($(filter-out fmt clean,$(or $(MAKECMDGOALS),all)),)
include $(BUILD)/deps.mk
endif
$(BUILD)/deps.mk: tools/install-deps.sh
	@mkdir -p $(@D)
	@tools/install-deps.sh build >$@

deps-demo deps-test deps-bench deps-worker:
	@tools/install-deps.sh $(@:deps-%=%)

# Its libraries are linked in: finding their symbols would take half of each start.
$(BUILD)/gg: $(GG_OBJ) $(BUILD)/libgg.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -Wl,--gc-sections,--disable-new-dtags,-rpath,'$$ORIGIN/lib' -o $@ $^ \
		-Wl,-Bstatic $(PKG_ARCHIVES) -Wl,-Bdynamic -lpthread -lm

# All of it in one file, libcurl too.  glibc's remark is on names of hosts: those in files and DNS
# are found without its modules.
worker: deps-worker $(BUILD)/gg-worker
$(BUILD)/gg-worker: $(WORKER_OBJ) $(BUILD)/libgg.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -static -s -Wl,--gc-sections,--no-warnings -o $@ $^ $(WORKER_LIBS) -lpthread -lm

$(BUILD)/gg-ml: $(ML_OBJ) $(BUILD)/libgg.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -Wl,--as-needed -o $@ $^ $(ALL_LDLIBS)

# Without these names and bytes in an object change with each call.
NVCC_SAME = -objtemp -frandom-seed=$(basename $(notdir $@))
$(BUILD)/gg-ml-cuda.so: $(CU_OBJ)
	$(NVCC) $(NVCC_SAME) -shared -cudart static -Xlinker -s,--as-needed -o $@ $^
$(CU_OBJ): $(BUILD)/%.o: %.cu
	@mkdir -p $(@D)
	$(NVCC) $(NVCC_FLAGS) $(NVCC_ARCHS) $(NVCC_SAME) -MMD -MP -c -o $@ $<

$(BUILD)/%.ptx: %.cu
	$(NVCC) $(NVCC_FLAGS) -arch=compute_90 -ptx -o $@ $<

# The same library, but its PTX is run by instructions on a machine of ours: test/gpu/machine.h.
GPU_CUDA  := test/gpu/runtime.c test/gpu/stream.c
GPU_PARTS := $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(GPU_CUDA),$(wildcard test/gpu/*.c)))
$(BUILD)/test/gpu/%.o: ALL_CFLAGS += -fPIC $(KERNEL_CFLAGS) $(ISA_CFLAGS) $(if $(NVCC),-isystem $(shell $(NVCC) --dryrun -c x.cu 2>&1 | sed -n 's/^#\$$ TOP=//p')/include)
$(BUILD)/test/t_ptx: $(GPU_PARTS)
$(BUILD)/test/gpu/%_ptx.o: src/kernels/%.cu
	@mkdir -p $(@D)
	$(NVCC) $(NVCC_FLAGS) -gencode arch=compute_90,code=compute_90 -no-compress $(NVCC_SAME) -MMD -MP -c -o $@ $<
$(BUILD)/test/gpu/gg-ml-cuda.so: $(CU_OBJ:$(BUILD)/src/kernels/%.o=$(BUILD)/test/gpu/%_ptx.o) $(GPU_PARTS) $(GPU_CUDA:%.c=$(BUILD)/%.o)
	$(CC) $(LDFLAGS) -shared -Wl,-z,defs -o $@ $^ -lm -ldl

# What the tracer puts into programs that look a lot: a library of its own, kept as bytes.
$(BUILD)/notes.so: src/thunk/inside/notes_inside.c src/thunk/notes_ring.h
	@mkdir -p $(@D)
	$(CC) -std=c17 -D_GNU_SOURCE $(WARN) -Wno-missing-prototypes -O2 -fPIC -mno-red-zone -fno-builtin -fno-stack-protector \
		-shared -nostdlib -s -Wl,-z,now,-z,noseparate-code -o $@ $<
# bytes,NAME: a file as an array in C.
bytes = (echo '\#include <stddef.h>'; echo 'extern const unsigned char $1[];'; \
	echo 'extern const size_t $1_size;'; echo 'const unsigned char $1[] = {'; \
	od -An -v -tu1 $< | sed 's/[0-9][0-9]*/&,/g'; \
	echo '}; const size_t $1_size = sizeof $1;') >$@
$(BUILD)/notes_image.c: $(BUILD)/notes.so
	$(call bytes,notes_image)
$(BUILD)/report_page.c: tools/report.html
	@mkdir -p $(@D)
	$(call bytes,report_page)
$(BUILD)/notes_image.o $(BUILD)/report_page.o: %.o: %.c
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/libgg.a: $(LIB_OBJ) $(BUILD)/notes_image.o
	@rm -f $@
	ar rcs $@ $^

# Numbers: no contraction that is not written, and files for one instruction set.
$(BUILD)/src/kernels/%.o $(FUZZ)/src/kernels/%.o: ALL_CFLAGS += $(KERNEL_CFLAGS) $(ISA_CFLAGS)
%_avx2.o: ISA_CFLAGS = -mavx2 -mfma
%_avx512.o: ISA_CFLAGS = -mavx512f -mavx512dq -mavx512bw -mavx512vl

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/test/%: $(BUILD)/test/%.o $(BUILD)/libgg.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(ALL_LDLIBS)

check: all $(TESTS)
	BUILD=$(BUILD) test/run.sh $(TESTS)

test: deps-test worker all $(if $(NVCC),$(BUILD)/test/gpu/gg-ml-cuda.so) $(TESTS) $(BUILD)/test/check_store $(BUILD)/test/closure_thunk $(BUILD)/test/worker_request $(BUILD)/test/old_kernel $(BUILD)/test/remote_calls $(BUILD)/test/warm_seed
	BUILD=$(BUILD) test/run.sh $(TESTS) $(TESTS_SH)

demo: deps-demo all
	@BUILD=$(BUILD) examples/demo.sh

benches: all $(BENCHES)

bench: deps-bench benches
	@BUILD=$(BUILD) test/bench/run.sh $(ROW)

fuzz: deps-test $(FUZZERS)
	@test/fuzz/run.sh $(or $(SECONDS_EACH),60) $(FUZZERS)

$(FUZZ)/%.o: %.c
	@mkdir -p $(@D)
	clang $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<

$(FUZZ)/f_%: $(FUZZ)/test/fuzz/f_%.o $(LIB_SRC:%.c=$(FUZZ)/%.o) $(BUILD)/notes_image.o
	clang $(FUZZ_CFLAGS) -fsanitize=fuzzer -o $@ $^ $(ALL_LDLIBS)

lint: deps-test
	@BUILD=$(BUILD) tools/lint.sh

fmt:
	clang-format -i $(wildcard include/*.h src/*.[ch] src/*/*.[ch] tools/*.[ch] test/*.[ch] test/*/*.[ch])

install: $(BUILD)/gg $(BUILD)/gg-ml $(if $(NVCC),$(BUILD)/gg-ml-cuda.so)
	install -d $(addprefix $(DEST)/,bin share/man/man1 share/man/man5 $(COMPLETIONS))
	install $(BUILD)/gg $(DEST)/bin/gg
	install $(BUILD)/gg-ml $(DEST)/bin/gg-ml
	$(if $(NVCC),install $(BUILD)/gg-ml-cuda.so $(DEST)/bin/gg-ml-cuda.so)
	$(if $(wildcard $(BUILD)/gg-worker),install $(BUILD)/gg-worker $(DEST)/bin/gg-worker)
	ln -sf gg $(DEST)/bin/gg-infer
	ln -sf gg $(DEST)/bin/gg-force
	rm -rf $(BUILD)/man && mkdir $(BUILD)/man && $(BUILD)/gg _man $(BUILD)/man
	$(BUILD)/gg-ml _man >$(BUILD)/man/gg-ml.1
	for f in $(BUILD)/man/*.[15]; do install -m 644 $$f $(DEST)/share/man/man$${f##*.}/; done
	$(BUILD)/gg _completion >$(DEST)/$(COMPLETIONS)/gg

clean:
	rm -rf build build-san build-tsan build-fuzz

-include $(wildcard $(BUILD)/test/gpu/*.d) $(LIB_OBJ:.o=.d) $(CU_OBJ:.o=.d) $(GG_OBJ:.o=.d) $(WORKER_OBJ:.o=.d) $(ML_OBJ:.o=.d) $(TESTS:=.d) $(BENCHES:=.d) $(BUILD)/test/check_store.d $(BUILD)/test/closure_thunk.d $(BUILD)/test/old_kernel.d $(BUILD)/test/remote_calls.d $(BUILD)/test/warm_seed.d $(LIB_SRC:%.c=$(FUZZ)/%.d) $(FUZZERS:$(FUZZ)/%=$(FUZZ)/test/fuzz/%.d)
