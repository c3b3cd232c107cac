/* ptx_read.c - a PTX text as programs
 *
 * What nvcc writes: entries with parameters, registers by families, arrays in
 * shared and local memory, labels and instructions.  Anything else is refused by
 * its line, functions that are called and variables outside entries too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ptx_read.h"

/* ---- declarations */

static uint32_t size_of(const struct token *t)
{
	static const struct {
		const char *name;
		uint32_t size;
	} types[] = {
		{ ".pred", 1 }, { ".b8", 1 }, { ".u8", 1 }, { ".s8", 1 },
		{ ".b16", 2 }, { ".u16", 2 }, { ".s16", 2 },
		{ ".b32", 4 }, { ".u32", 4 }, { ".s32", 4 }, { ".f32", 4 },
		{ ".b64", 8 }, { ".u64", 8 }, { ".s64", 8 }, { ".f64", 8 },
	};

	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (token_is(t, types[i].name))
			return types[i].size;
	return 0;
}

/* [.align N] .TYPE NAME [ [COUNT] ]: lies behind what *size has. */
static int array(struct reader *r, uint32_t *size, struct symbol *out, uint32_t *bytes)
{
	struct token type;
	uint32_t align = 0, count = 1, each;

	if (ptx_took(r, ".align") && ptx_number(r, &align) < 0)
		return -1;
	type = ptx_take(r);
	each = size_of(&type);
	if (!each)
		return at_line(r->fault, &type, "is no type");
	out->name = ptx_take(r);
	if (ptx_took(r, "[") && (ptx_number(r, &count) < 0 || ptx_want(r, "]") < 0))
		return -1;
	if (!align)
		align = each;
	out->value = (*size + align - 1) / align * align;
	*bytes = each * count;
	*size = out->value + *bytes;
	return 0;
}

static char *text_of(const struct token *t)
{
	char *s = strndup(t->s, t->n);

	if (!s)
		abort();
	return s;
}

static void add_symbol(struct builder *b, struct symbol s)
{
	b->symbols = grown(b->symbols, b->n_symbols, sizeof *b->symbols);
	b->symbols[b->n_symbols++] = s;
}

static int parameters(struct reader *r, struct builder *b)
{
	struct kernel *k = b->k;

	if (!ptx_took(r, "("))
		return 0;
	while (!ptx_took(r, ")")) {
		struct symbol s;
		struct param *p;
		uint32_t bytes;

		if (k->n_params && ptx_want(r, ",") < 0)
			return -1;
		if (ptx_want(r, ".param") < 0 || array(r, &k->params_size, &s, &bytes) < 0)
			return -1;
		add_symbol(b, s);
		k->params = grown(k->params, k->n_params, sizeof *k->params);
		p = &k->params[k->n_params++];
		*p = (struct param){ text_of(&s.name), s.value, bytes };
	}
	return 0;
}

/* .reg .TYPE %NAME; or .reg .TYPE %NAME<N>; */
static int registers(struct reader *r, struct builder *b)
{
	struct token type = ptx_take(r);
	struct family f = { .size = size_of(&type), .count = 1, .is_single = true };

	if (!f.size)
		return at_line(r->fault, &type, "is no type");
	f.prefix = ptx_take(r);
	if (ptx_took(r, "<")) {
		f.is_single = false;
		if (ptx_number(r, &f.count) < 0 || ptx_want(r, ">") < 0)
			return -1;
	}
	b->k->regs_size = (b->k->regs_size + 63) & ~(size_t)63;
	f.at = (uint32_t)b->k->regs_size;
	b->k->regs_size += (size_t)f.size * f.count * b->k->threads;
	b->families = grown(b->families, b->n_families, sizeof *b->families);
	b->families[b->n_families++] = f;
	return ptx_want(r, ";");
}

static int declaration(struct reader *r, struct builder *b)
{
	struct symbol s;
	uint32_t bytes;

	if (ptx_took(r, ".reg"))
		return registers(r, b);
	if (ptx_took(r, ".pragma")) {
		ptx_take(r);
		return ptx_want(r, ";");
	}
	if (ptx_took(r, ".shared") ? array(r, &b->k->shared_size, &s, &bytes) < 0 :
	    ptx_want(r, ".local") < 0 || array(r, &b->k->local_size, &s, &bytes) < 0)
		return -1;
	add_symbol(b, s);
	return ptx_want(r, ";");
}

/* ---- instructions */

static int address(struct reader *r, struct statement *s)
{
	uint32_t number;
	struct token t;

	s->address = ptx_take(r);
	s->has_address = true;
	if (ptx_took(r, "+")) {
		t = r->now;
		if (t.n && t.s[0] == '-') {
			s->offset = strtoll(t.s, NULL, 10);
			ptx_take(r);
		} else if (ptx_number(r, &number) < 0) {
			return -1;
		} else {
			s->offset = number;
		}
	}
	return ptx_want(r, "]");
}

static int datum(struct reader *r, struct statement *s)
{
	if (s->n_data == DATA_MAX)
		return at_line(r->fault, &r->now, "is one operand too many");
	s->data[s->n_data++] = ptx_take(r);
	return 0;
}

static int operands(struct reader *r, struct statement *s)
{
	for (bool is_first = true; !ptx_took(r, ";"); is_first = false) {
		if (!is_first && ptx_want(r, ",") < 0)
			return -1;
		if (ptx_took(r, "[")) {
			if (address(r, s) < 0)
				return -1;
		} else if (ptx_took(r, "{")) {
			do
				if (datum(r, s) < 0)
					return -1;
			while (ptx_took(r, ","));
			if (ptx_want(r, "}") < 0)
				return -1;
		} else if (datum(r, s) < 0) {
			return -1;
		}
	}
	return 0;
}

static int statement(struct reader *r, struct builder *b)
{
	struct statement s = { 0 };

	if (ptx_took(r, "@")) {
		s.is_guarded = true;
		s.guard_is_not = ptx_took(r, "!");
		s.guard = ptx_take(r);
	}
	s.name = ptx_take(r);
	if (!s.is_guarded && ptx_took(r, ":")) {
		b->labels = grown(b->labels, b->n_labels, sizeof *b->labels);
		b->labels[b->n_labels++] = (struct symbol){ s.name, (uint32_t)b->k->n_code };
		return 0;
	}
	return operands(r, &s) < 0 ? -1 : build(b, &s);
}

static int body(struct reader *r, struct builder *b)
{
	static const struct token end = { "ret", 3, 0 };
	struct statement last = { .name = end };

	if (ptx_want(r, "{") < 0)
		return -1;
	b->k->regs_size = (size_t)PTX_SPECIALS * 4 * b->k->threads;
	while (!ptx_took(r, "}")) {
		bool declares = r->now.n && r->now.s[0] == '.';

		if ((declares ? declaration(r, b) : statement(r, b)) < 0)
			return -1;
	}
	return build(b, &last) < 0 ? -1 : build_targets(b);
}

/* ---- entries */

/* .maxntid 256, 1, 1 and its like; only that one matters here. */
static int limits(struct reader *r, struct kernel *k)
{
	k->threads = PTX_THREADS_MAX;
	while (!token_is(&r->now, "{")) {
		struct token name = ptx_take(r);
		uint32_t n, all = 1;

		if (!token_is(&name, ".maxntid") && !token_is(&name, ".reqntid") &&
		    !token_is(&name, ".minnctapersm") && !token_is(&name, ".maxnreg"))
			return at_line(r->fault, &name, "is not expected here");
		do
			if (ptx_number(r, &n) < 0)
				return -1;
			else
				all *= n;
		while (ptx_took(r, ","));
		if (token_is(&name, ".maxntid") || token_is(&name, ".reqntid"))
			k->threads = all;
	}
	return k->threads && k->threads <= PTX_THREADS_MAX ? 0 :
	       at_line(r->fault, &r->now, "begins what has too many threads");
}

/* _Z13product_small11device_gemm is product_small. */
static void plain_name(struct kernel *k)
{
	const char *from = k->name;
	char *end;
	size_t n = strlen(from);

	if (strncmp(from, "_Z", 2) == 0) {
		size_t said = strtoul(from + 2, &end, 10);

		if (said && said <= strlen(end)) {
			from = end;
			n = said;
		}
	}
	snprintf(k->plain, sizeof k->plain, "%.*s", (int)n, from);
}

static int entry(struct reader *r, struct program *p)
{
	struct token name = ptx_take(r);
	struct builder b = { .fault = r->fault };
	int rc;

	p->kernels = grown(p->kernels, p->n_kernels, sizeof *p->kernels);
	b.k = &p->kernels[p->n_kernels++];
	*b.k = (struct kernel){ .name = text_of(&name) };
	plain_name(b.k);
	rc = parameters(r, &b) < 0 || limits(r, b.k) < 0 || body(r, &b) < 0 ? -1 : 0;
	free(b.families);
	free(b.symbols);
	free(b.labels);
	free(b.jumps);
	return rc;
}

int program_read(const char *text, struct program **out, struct fault *f)
{
	struct program *p = calloc(1, sizeof *p);
	struct reader r = { .at = text, .line = 1, .fault = f };
	int rc = 0;

	if (!p)
		abort();
	ptx_begin(&r);
	while (rc == 0 && r.now.n) {
		if (ptx_took(&r, ".version") || ptx_took(&r, ".target") || ptx_took(&r, ".address_size"))
			ptx_take(&r);
		else if (ptx_took(&r, ".visible"))
			rc = token_is(&r.now, ".entry") ? 0 : ptx_want(&r, ".entry");
		else
			rc = ptx_want(&r, ".entry") < 0 ? -1 : entry(&r, p);
	}
	if (rc < 0) {
		program_free(p);
		return -1;
	}
	*out = p;
	return 0;
}

void program_free(struct program *p)
{
	for (size_t i = 0; p && i < p->n_kernels; i++) {
		struct kernel *k = &p->kernels[i];

		for (size_t n = 0; n < k->n_params; n++)
			free(k->params[n].name);
		free(k->params);
		free(k->constants);
		free(k->code);
		free(k->regs);
		free(k->name);
	}
	if (p)
		free(p->kernels);
	free(p);
}

struct kernel *program_kernel(struct program *p, const char *name)
{
	for (size_t i = 0; i < p->n_kernels; i++)
		if (strcmp(p->kernels[i].name, name) == 0 ||
		    strcmp(p->kernels[i].plain, name) == 0)
			return &p->kernels[i];
	return NULL;
}
