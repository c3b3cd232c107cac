/* t_ptx.c - the machine that runs compiled PTX: its numbers, and what it finds */
#include "gpu/machine.h"
#include "test.h"

/* ---- numbers */

static const struct {
	const char *name;
	uint64_t a, b, c, want;
} numbers[] = {
	/* Denormals are kept, on the way in and out. */
	{ "mul.rn.f32", 0x00800000, 0x3f000000, 0, 0x00400000 },
	{ "add.rn.f32", 0x00000001, 0x00000001, 0, 0x00000002 },
	{ "div.rn.f32", 0x3f800000, 0x7f7fffff, 0, 0x00200000 },
	{ "div.rn.f32", 0x3f800000, 0x40400000, 0, 0x3eaaaaab },
	{ "div.rn.f32", 0x3f800000, 0x80000000, 0, 0xff800000 },
	{ "rcp.rn.f32", 0x40400000, 0, 0, 0x3eaaaaab },
	{ "sqrt.rn.f32", 0x40000000, 0, 0, 0x3fb504f3 },
	{ "sqrt.rn.f32", 0x80000000, 0, 0, 0x80000000 },
	/* One rounding: (1 + u)(1 - u) - 1 is -u u. */
	{ "fma.rn.f32", 0x3f800001, 0x3f7ffffe, 0xbf800000, 0xa8800000 },
	{ "fma.rn.f32", 0x80000000, 0x3f800000, 0x80000000, 0x80000000 },
	{ "fma.rn.f32", 0x80000000, 0x3f800000, 0x00000000, 0x00000000 },
	/* There is one NaN. */
	{ "add.rn.f32", 0x7f800000, 0xff800000, 0, 0x7fffffff },
	{ "mul.rn.f32", 0xffc12345, 0x3f800000, 0, 0x7fffffff },
	{ "fma.rn.f32", 0x7f800000, 0x00000000, 0x3f800000, 0x7fffffff },
	{ "sqrt.rn.f32", 0xbf800000, 0, 0, 0x7fffffff },
	{ "mov.f32", 0xffc12345, 0, 0, 0xffc12345 },
	{ "min.f32", 0x7fc00000, 0x40000000, 0, 0x40000000 },
	{ "max.f32", 0x7fc00000, 0xff812345, 0, 0x7fffffff },
	{ "min.f32", 0x00000000, 0x80000000, 0, 0x80000000 },
	{ "max.f32", 0x80000000, 0x00000000, 0, 0x00000000 },
	{ "setp.lt.f32", 0x7fc00000, 0x3f800000, 0, 0 },
	{ "setp.ne.f32", 0x7fc00000, 0x3f800000, 0, 0 },
	{ "setp.neu.f32", 0x7fc00000, 0x3f800000, 0, 1 },
	{ "setp.geu.f32", 0x7fc00000, 0x3f800000, 0, 1 },
	{ "setp.nan.f32", 0x7fc00000, 0x3f800000, 0, 1 },
	{ "setp.eq.f32", 0x80000000, 0x00000000, 0, 1 },
	{ "copysign.f32", 0x80000000, 0x3f800000, 0, 0xbf800000 },
	{ "add.rn.f64", 0x3ff0000000000000, 0x3ca0000000000000, 0, 0x3ff0000000000000 },
	{ "cvt.f64.f32", 0x00000001, 0, 0, 0x36a0000000000000 },
	/* To the nearest, and of two the even. */
	{ "cvt.rn.f32.f64", 0x3ff0000010000000, 0, 0, 0x3f800000 },
	{ "cvt.rn.f32.u32", 0x01000001, 0, 0, 0x4b800000 },
	{ "cvt.rn.f32.u64", 0xffffffffffffffff, 0, 0, 0x5f800000 },
	{ "cvt.rn.f32.s32", 0x80000000, 0, 0, 0xcf000000 },
	{ "cvt.rni.s32.f32", 0x40200000, 0, 0, 2 },
	{ "cvt.rzi.u32.f32", 0xbf800000, 0, 0, 0 },
	{ "cvt.rzi.u32.f32", 0x4f800000, 0, 0, 0xffffffff },
	{ "cvt.rzi.s32.f32", 0xcf800000, 0, 0, 0x80000000 },
	{ "cvt.rzi.s32.f32", 0x7fc00000, 0, 0, 0 },
	{ "cvt.s64.s32", 0xfffffffe, 0, 0, 0xfffffffffffffffe },
	{ "cvt.u64.u32", 0xfffffffe, 0, 0, 0x00000000fffffffe },
	/* Shifts are held to the width, and nothing divides by zero. */
	{ "shl.b32", 1, 32, 0, 0 },
	{ "shr.u32", 0x80000000, 40, 0, 0 },
	{ "shr.s32", 0x80000000, 40, 0, 0xffffffff },
	{ "shr.u64", 0x10, 4, 0, 1 },
	{ "div.u32", 7, 0, 0, 0xffffffff },
	{ "rem.u32", 7, 0, 0, 7 },
	{ "div.s32", 0x80000000, 0xffffffff, 0, 0x80000000 },
	{ "mul.wide.u32", 0xffffffff, 0xffffffff, 0, 0xfffffffe00000001 },
	{ "mul.wide.s32", 0xffffffff, 2, 0, 0xfffffffffffffffe },
	{ "mul.hi.u64", 0xffffffffffffffff, 0x10, 0, 0xf },
	{ "mad.lo.s32", 0xffffffff, 3, 5, 2 },
	{ "selp.b32", 1, 2, 1, 1 },
	{ "selp.b32", 1, 2, 0, 2 },
};

/* Of four operands: bits are taken out of a number, or put into one. */
static const struct {
	const char *name;
	uint64_t in[4], want;
} fields[] = {
	{ "bfe.u32", { 0x12345678, 8, 12 }, 0x456 },
	{ "bfe.u32", { 0x92345678, 28, 12 }, 0x9 },
	{ "bfe.u32", { 0x12345678, 32, 4 }, 0 },
	{ "bfi.b32", { 0xffffffab, 0x12345678, 8, 8 }, 0x1234ab78 },
	{ "bfi.b32", { 0xab, 0x12345678, 28, 8 }, 0xb2345678 },
	{ "bfi.b32", { 0xab, 0x12345678, 40, 8 }, 0x12345678 },
	{ "bfi.b32", { 0xab, 0x12345678, 0, 0 }, 0x12345678 },
};

/* By vectors and what is left over at their end. */
static bool gives(const struct op *op, const uint64_t *in, uint64_t want)
{
	enum { N = 37, APART = 8 * 64 };
	_Alignas(64) static char regs[PTX_OPERANDS * APART];
	struct ins i = { .at = { 0, APART, 2 * APART, 3 * APART, 4 * APART } };
	bool is_so = true;

	for (int k = 1; k < op->n; k++)
		for (size_t t = 0; t < N; t++)
			memcpy(regs + k * APART + t * op->sizes[k], &in[k - 1], op->sizes[k]);
	op->fn(&i, regs, 0, N);
	for (size_t t = 0; t < N; t++) {
		uint64_t got = 0;

		memcpy(&got, regs + t * op->sizes[0], op->sizes[0]);
		is_so = is_so && got == want;
		if (got != want && t == 0)
			printf("# %s: %llx, not %llx\n", op->name, (unsigned long long)got,
			       (unsigned long long)want);
	}
	return is_so;
}

static const struct op *named_like(const struct op *table, const struct op *op)
{
	while (strcmp(table->name, op->name) != 0)
		table++;
	return table;
}

static void to_the_bit(void)
{
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		uint64_t in[] = { numbers[i].a, numbers[i].b, numbers[i].c };
		const struct op *op = op_find(numbers[i].name);

		CHECK(op);
		if (!op)
			printf("# %s\n", numbers[i].name);
		CHECK(op && gives(op, in, numbers[i].want));
		CHECK(op && gives(named_like(arith_scalar, op), in, numbers[i].want));
	}
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		const struct op *op = op_find(fields[i].name);

		CHECK(gives(op, fields[i].in, fields[i].want));
		CHECK(gives(named_like(arith_scalar, op), fields[i].in, fields[i].want));
	}
}

/* ---- programs */

enum { THREADS = 64 };

/* %rd1 is 64 words of global memory that are 0, %rd2 64 that nobody wrote, %r2 is
 * 4 tid; %rd3 and %rd4 are a thread's own words. */
static const char head[] =
	".version 9.0\n.target sm_90\n.address_size 64\n"
	".entry k(.param .u64 k_p, .param .u64 k_q)\n.maxntid 64, 1, 1\n{\n"
	".shared .align 16 .b8 s[256];\n"
	".reg .pred %p<9>; .reg .b32 %r<9>; .reg .b64 %rd<9>; .reg .f32 %f<9>;\n"
	"ld.param.u64 %rd1, [k_p]; ld.param.u64 %rd2, [k_q];\n"
	"mov.u32 %r1, %tid.x; shl.b32 %r2, %r1, 2; cvt.u64.u32 %rd5, %r2;\n"
	"add.s64 %rd3, %rd1, %rd5; add.s64 %rd4, %rd2, %rd5; setp.lt.u32 %p1, %r1, 20;\n"
	"xor.b32 %r3, %r2, 252; mov.u32 %r4, %ctaid.x;\n";

static struct fault fault;
static uint32_t words[THREADS];
static struct cost cost;

/* What a body leaves in the 64 words, or its fault. */
static int run(const char *body, unsigned blocks)
{
	struct machine m = { .stretch = 1, .counts = true };
	struct program *p = NULL;
	unsigned char params[16];
	uint64_t at[2];
	char text[4096];
	int rc = -1;

	snprintf(text, sizeof text, "%s%s\n}\n", head, body);
	if (program_read(text, &p, &fault) < 0)
		return -1;
	MUST(memory_init(&m.memory, 1 << 20, &fault), fault);
	for (int k = 0; k < 2; k++)
		at[k] = memory_take(&m.memory, sizeof words);
	memset(memory_at(&m.memory, at[0], sizeof words), 0, sizeof words);
	memory_wrote(&m.memory, at[0], sizeof words);
	memcpy(params, at, sizeof params);
	rc = machine_run(&m, &(struct launch){ program_kernel(p, "k"), { blocks, 1, 1 },
					       { THREADS, 1, 1 }, 0, params }, &fault);
	memcpy(words, memory_at(&m.memory, at[0], sizeof words), sizeof words);
	cost = program_kernel(p, "k")->cost;
	program_free(p);
	memory_release(&m.memory);
	return rc;
}

static void threads_part_and_meet(void)
{
	MUST(run("mov.u32 %r5, 0; @%p1 bra $A;\n"
		 "$B: add.s32 %r5, %r5, 3; setp.lt.u32 %p2, %r5, %r1; @%p2 bra $B;\n"
		 "bra.uni $C;\n"
		 "$A: add.s32 %r5, %r1, 100; @%p1 add.s32 %r5, %r5, 1000;\n"
		 "@!%p1 add.s32 %r5, %r5, 5000;\n"
		 "$C: bar.sync 0; st.global.u32 [%rd3], %r5; ret;", 1), fault);
	for (uint32_t t = 0; t < THREADS; t++)
		CHECK(words[t] == (t < 20 ? t + 1100 : (t + 2) / 3 * 3));
}

static void threads_exchange(void)
{
	MUST(run("st.shared.u32 [%r2], %r1; bar.sync 0; ld.shared.u32 %r5, [%r3];\n"
		 "st.global.u32 [%rd3], %r5; ret;", 1), fault);
	for (uint32_t t = 0; t < THREADS; t++)
		CHECK(words[t] == 63 - t);
}

/* Two warps, of which each touches 8 sectors for 8 words, and 2 words of one bank. */
static void costs_are_counted(void)
{
	MUST(run("shl.b32 %r5, %r1, 5; and.b32 %r5, %r5, 255; cvt.u64.u32 %rd6, %r5;\n"
		 "add.s64 %rd6, %rd6, %rd1; ld.global.u32 %r6, [%rd6]; st.shared.u32 [%r2], %r6;\n"
		 "bar.sync 0; shl.b32 %r5, %r1, 7; and.b32 %r5, %r5, 255;\n"
		 "ld.shared.u32 %r6, [%r5]; ret;", 1), fault);
	CHECK(cost.launches == 1);
	CHECK(cost.sectors == 16 && cost.sectors_least == 2);
	CHECK(cost.turns == 2 + 4 && cost.turns_least == 2 + 2);
	CHECK(cost.warps[COST_GLOBAL] == 2 && cost.warps[COST_SHARED] == 4);
}

static const struct {
	const char *body, *says;
	unsigned blocks;
} faults[] = {
	{ "st.shared.u32 [%r2], %r1; ld.shared.u32 %r5, [%r3]; ret;",
	  "reads what another thread may be writing", 1 },
	{ "st.shared.u32 [%r2], %r1; bar.sync 0; ld.shared.u32 %r5, [%r3];\n"
	  "st.shared.u32 [%r2], %r5; ret;", "writes what another thread may be reading", 1 },
	{ "st.shared.u32 [s+16], %r1; ret;", "writes what another thread may be writing", 1 },
	{ "@%p1 st.shared.u32 [%r2], %r1; bar.sync 0; ld.shared.u32 %r5, [%r3]; ret;",
	  "thread 0, line 13: reads what nobody has written", 1 },
	{ "ld.global.u32 %r5, [%rd4]; ret;", "reads what nobody has written", 1 },
	{ "st.global.u32 [%rd3+4], %r1; ret;", "thread 63, line 13: is out of bounds", 1 },
	{ "ld.global.u32 %r5, [%rd3+-4]; ret;", "thread 0, line 13: is out of bounds", 1 },
	{ "ld.shared.u32 %r5, [%r2+256]; ret;", "is out of bounds", 1 },
	{ "ld.param.u64 %rd5, [k_q+8]; ret;", "is out of bounds", 1 },
	{ "ld.global.v2.u32 {%r5, %r6}, [%rd3]; ret;",
	  "thread 1, line 13: is at no multiple of its size", 1 },
	{ "st.global.u32 [%rd3], %r1; ret;", "writes what another thread may be writing", 2 },
	{ "ld.global.u32 %r5, [%rd3]; bar.sync 0; setp.eq.u32 %p2, %r4, 2;\n"
	  "@%p2 st.global.u32 [%rd3], %r1; ret;",
	  "block 2,0,0, thread 0, line 14: writes what another thread may be reading", 3 },
	{ "@%p1 bar.sync 0; ret;", "does not come to the barrier", 1 },
	{ "@%p1 bra $A; bar.sync 0; ret; $A: bar.sync 0; ret;",
	  "does not come to the barrier", 1 },
	{ "add.ftz.f32 %f1, %f2, %f3; ret;", "line 13: \"add.ftz.f32\" is not an instruction", 1 },
	{ "fma.rn.ftz.f32 %f1, %f2, %f3, %f3; ret;", "is not an instruction", 1 },
	{ "mul.f32 %f1, %f2, %f3; ret;", "is not an instruction", 1 },
	{ "atom.global.add.u32 %r5, [%rd3], 1; ret;", "is not an instruction", 1 },
	{ "add.s32 %r5, %rd1, 1; ret;", "\"%rd1\" register of another width", 1 },
	{ "add.s32 %r5, %r1; ret;", "has another number of operands", 1 },
	{ "add.s32 %r5, %r1, %r99; ret;", "\"%r99\" neither register", 1 },
	{ "bra $A; ret;", "\"$A\" is no label here", 1 },
	{ "ret; } .global .b32 x; {", "is not expected here", 1 },
};

static void faults_are_found(void)
{
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		bool is_found = run(faults[i].body, faults[i].blocks) < 0 &&
				strstr(fault.text, faults[i].says);

		CHECK(is_found);
		if (!is_found)
			printf("# %s: %s\n", faults[i].body, fault.text);
		fault.text[0] = 0;
	}
}

static void launches_are_refused(void)
{
	struct kernel k = { .threads = 256 };
	struct launch l = { .kernel = &k, .grid = { 1, 65535, 1 }, .block = { 256, 1, 1 } };

	CHECK(!launch_refused(&l));
	l.grid[1]++;
	CHECK(launch_refused(&l));
	l.grid[1] = 0;
	CHECK(launch_refused(&l));
	l.grid[1] = 1;
	l.grid[0] = INT32_MAX;
	CHECK(!launch_refused(&l));
	l.grid[0]++;
	CHECK(launch_refused(&l));
	l.grid[0] = 1;
	l.block[1] = 2;
	CHECK(launch_refused(&l));
	l.block[1] = 1;
	k.shared_size = 48 << 10;
	CHECK(!launch_refused(&l));
	k.shared_size++;
	CHECK(launch_refused(&l));
	k.shared_size = 0;
	k.params_size = 4097;
	CHECK(launch_refused(&l));
}

static const struct test tests[] = {
	{ "instructions give what the PTX ISA says, to the bit", to_the_bit },
	{ "threads part at branches and meet again", threads_part_and_meet },
	{ "and exchange by shared memory and a barrier", threads_exchange },
	{ "what a GPU would not forgive is found, with its place", faults_are_found },
	{ "sectors and turns of shared memory are counted by warps", costs_are_counted },
	{ "launches beyond a GPU's limits are refused", launches_are_refused },
	{ 0 }
};

int main(void)
{
	return test_main(tests);
}
