/* ptx_read.c - a PTX text as programs
 *
 * What nvcc writes: entries with parameters, registers by families, arrays in
 * shared and local memory, labels and instructions.  Anything else is refused by
 * its line, functions that are called and variables outside entries too.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ptx_read.h"

struct reader {
	const char *at;
	uint32_t line;
	struct token now;       /* not yet taken; empty: the end */
	struct fault *fault;
};

int fault_set(struct fault *f, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(f->text, sizeof f->text, format, args);
	va_end(args);
	return -1;
}

int at_line(struct fault *f, const struct token *t, const char *what)
{
	return fault_set(f, "PTX line %u: \"%.*s\" %s", t->line, (int)t->n, t->s, what);
}

bool token_is(const struct token *t, const char *s)
{
	return strlen(s) == t->n && memcmp(t->s, s, t->n) == 0;
}

void *grown(void *p, size_t n, size_t size)
{
	if (n & (n - 1) || (n && n < 16))
		return p;
	p = realloc(p, (n ? 2 * n : 16) * size);
	if (!p)
		abort();
	return p;
}

/* ---- words */

static const char *past_space(struct reader *r)
{
	const char *s = r->at;

	for (;; s++) {
		if (s[0] == '/' && s[1] == '/')
			s += strcspn(s, "\n");
		if (*s == '\n')
			r->line++;
		else if (*s != ' ' && *s != '\t' && *s != '\r')
			return s;
	}
}

static void advance(struct reader *r)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_$%.";
	const char *s = past_space(r);
	size_t n = strspn(s, letters);

	if (*s == '-')
		n = 1 + strspn(s + 1, letters);
	if (*s == '"') {
		n = 1 + strcspn(s + 1, "\"\n");
		n += s[n] == '"';
	}
	if (!n && *s)
		n = 1;
	r->now = (struct token){ s, n, r->line };
	r->at = s + n;
}

static struct token take(struct reader *r)
{
	struct token t = r->now;

	advance(r);
	return t;
}

static bool took(struct reader *r, const char *s)
{
	bool is_it = token_is(&r->now, s);

	if (is_it)
		advance(r);
	return is_it;
}

static int want(struct reader *r, const char *s)
{
	return took(r, s) ? 0 : at_line(r->fault, &r->now, "is not expected here");
}

static int want_number(struct reader *r, uint32_t *out)
{
	struct token t = take(r);
	char *end;

	*out = (uint32_t)strtoul(t.s, &end, 10);
	return end == t.s + t.n && t.n ? 0 : at_line(r->fault, &t, "is no number");
}

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

	if (took(r, ".align") && want_number(r, &align) < 0)
		return -1;
	type = take(r);
	each = size_of(&type);
	if (!each)
		return at_line(r->fault, &type, "is no type");
	out->name = take(r);
	if (took(r, "[") && (want_number(r, &count) < 0 || want(r, "]") < 0))
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

	if (!took(r, "("))
		return 0;
	while (!took(r, ")")) {
		struct symbol s;
		struct param *p;
		uint32_t bytes;

		if (k->n_params && want(r, ",") < 0)
			return -1;
		if (want(r, ".param") < 0 || array(r, &k->params_size, &s, &bytes) < 0)
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
	struct token type = take(r);
	struct family f = { .size = size_of(&type), .count = 1, .is_single = true };

	if (!f.size)
		return at_line(r->fault, &type, "is no type");
	f.prefix = take(r);
	if (took(r, "<")) {
		f.is_single = false;
		if (want_number(r, &f.count) < 0 || want(r, ">") < 0)
			return -1;
	}
	b->k->regs_size = (b->k->regs_size + 63) & ~(size_t)63;
	f.at = (uint32_t)b->k->regs_size;
	b->k->regs_size += (size_t)f.size * f.count * b->k->threads;
	b->families = grown(b->families, b->n_families, sizeof *b->families);
	b->families[b->n_families++] = f;
	return want(r, ";");
}

static int declaration(struct reader *r, struct builder *b)
{
	struct symbol s;
	uint32_t bytes;

	if (took(r, ".reg"))
		return registers(r, b);
	if (took(r, ".pragma")) {
		take(r);
		return want(r, ";");
	}
	if (took(r, ".shared") ? array(r, &b->k->shared_size, &s, &bytes) < 0 :
	    want(r, ".local") < 0 || array(r, &b->k->local_size, &s, &bytes) < 0)
		return -1;
	add_symbol(b, s);
	return want(r, ";");
}

/* ---- instructions */

static int address(struct reader *r, struct statement *s)
{
	uint32_t number;
	struct token t;

	s->address = take(r);
	s->has_address = true;
	if (took(r, "+")) {
		t = r->now;
		if (t.n && t.s[0] == '-') {
			s->offset = strtoll(t.s, NULL, 10);
			take(r);
		} else if (want_number(r, &number) < 0) {
			return -1;
		} else {
			s->offset = number;
		}
	}
	return want(r, "]");
}

static int datum(struct reader *r, struct statement *s)
{
	if (s->n_data == DATA_MAX)
		return at_line(r->fault, &r->now, "is one operand too many");
	s->data[s->n_data++] = take(r);
	return 0;
}

static int operands(struct reader *r, struct statement *s)
{
	for (bool is_first = true; !took(r, ";"); is_first = false) {
		if (!is_first && want(r, ",") < 0)
			return -1;
		if (took(r, "[")) {
			if (address(r, s) < 0)
				return -1;
		} else if (took(r, "{")) {
			do
				if (datum(r, s) < 0)
					return -1;
			while (took(r, ","));
			if (want(r, "}") < 0)
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

	if (took(r, "@")) {
		s.is_guarded = true;
		s.guard_is_not = took(r, "!");
		s.guard = take(r);
	}
	s.name = take(r);
	if (!s.is_guarded && took(r, ":")) {
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

	if (want(r, "{") < 0)
		return -1;
	b->k->regs_size = (size_t)PTX_SPECIALS * 4 * b->k->threads;
	while (!took(r, "}")) {
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
		struct token name = take(r);
		uint32_t n, all = 1;

		if (!token_is(&name, ".maxntid") && !token_is(&name, ".reqntid") &&
		    !token_is(&name, ".minnctapersm") && !token_is(&name, ".maxnreg"))
			return at_line(r->fault, &name, "is not expected here");
		do
			if (want_number(r, &n) < 0)
				return -1;
			else
				all *= n;
		while (took(r, ","));
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
	struct token name = take(r);
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
	advance(&r);
	while (rc == 0 && r.now.n) {
		if (took(&r, ".version") || took(&r, ".target") || took(&r, ".address_size"))
			take(&r);
		else if (took(&r, ".visible"))
			rc = token_is(&r.now, ".entry") ? 0 : want(&r, ".entry");
		else
			rc = want(&r, ".entry") < 0 ? -1 : entry(&r, p);
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
