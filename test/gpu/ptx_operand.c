/* ptx_operand.c - from an instruction's words to where its operands lie
 *
 * Registers, constants and names of places all become offsets into one array, so
 * that running needs to tell none of them apart.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ptx_read.h"

static const uint32_t nowhere = UINT32_MAX;

/* Registers that the machine itself fills, in this order. */
static const char *const specials[PTX_SPECIALS] = {
	"%tid.x", "%tid.y", "%tid.z", "%ntid.x", "%ntid.y", "%ntid.z",
	"%ctaid.x", "%ctaid.y", "%ctaid.z", "%nctaid.x", "%nctaid.y", "%nctaid.z",
};

static const char *const space_names[SPACE_COUNT] = {
	[SPACE_PARAM] = "param", [SPACE_GLOBAL] = "global",
	[SPACE_SHARED] = "shared", [SPACE_LOCAL] = "local",
};

static const struct width {
	const char *name;
	uint8_t size;
	bool is_signed;
} widths[] = {
	{ "u8", 1, false }, { "s8", 1, true }, { "b8", 1, false },
	{ "u16", 2, false }, { "s16", 2, true }, { "b16", 2, false },
	{ "u32", 4, false }, { "s32", 4, true }, { "b32", 4, false }, { "f32", 4, false },
	{ "u64", 8, false }, { "s64", 8, true }, { "b64", 8, false }, { "f64", 8, false },
};

static bool find_register(const struct builder *b, const struct token *t, uint32_t *at,
			  uint32_t *size)
{
	for (size_t i = 0; i < PTX_SPECIALS; i++)
		if (token_is(t, specials[i])) {
			*size = 4;
			*at = (uint32_t)i * 4 * b->k->threads;
			return true;
		}
	for (size_t i = 0; i < b->n_families; i++) {
		const struct family *f = &b->families[i];
		unsigned long number = 0;
		char *end;

		if (t->n < f->prefix.n || memcmp(t->s, f->prefix.s, f->prefix.n) != 0)
			continue;
		if (!f->is_single) {
			number = strtoul(t->s + f->prefix.n, &end, 10);
			if (end != t->s + t->n || t->n == f->prefix.n || number >= f->count)
				continue;
		} else if (t->n != f->prefix.n) {
			continue;
		}
		*size = f->size;
		*at = f->at + (uint32_t)number * f->size * b->k->threads;
		return true;
	}
	return false;
}

static uint32_t constant(struct builder *b, uint64_t value, uint32_t size)
{
	struct kernel *k = b->k;

	for (size_t i = 0; i < k->n_constants; i++)
		if (k->constants[i].value == value && k->constants[i].size == size)
			return k->constants[i].at;
	k->regs_size = (k->regs_size + 63) & ~(size_t)63;
	k->constants = grown(k->constants, k->n_constants, sizeof *k->constants);
	k->constants[k->n_constants++] = (struct constant){ (uint32_t)k->regs_size, size, value };
	k->regs_size += (size_t)size * k->threads;
	return k->constants[k->n_constants - 1].at;
}

static bool find_value(const struct builder *b, const struct token *t, uint64_t *value)
{
	char text[40], *end;
	bool is_bits = t->n > 2 && t->s[0] == '0' && strchr("fFdD", t->s[1]);

	for (size_t i = 0; i < b->n_symbols; i++)
		if (b->symbols[i].name.n == t->n &&
		    memcmp(b->symbols[i].name.s, t->s, t->n) == 0) {
			*value = b->symbols[i].value;
			return true;
		}
	if (t->n >= sizeof text)
		return false;
	memcpy(text, t->s, t->n);
	text[t->n] = 0;
	*value = is_bits ? strtoull(text + 2, &end, 16) : strtoull(text, &end, 0);
	if (!is_bits && *end == 'U')
		end++;
	return end == text + t->n && t->n > 0;
}

/* Where an operand of `size` bytes lies. */
static int operand(struct builder *b, const struct token *t, uint32_t size, uint32_t *at)
{
	uint32_t have;
	uint64_t value;

	if (find_register(b, t, at, &have))
		return have == size ? 0 : at_line(b->fault, t, "register of another width");
	if (!find_value(b, t, &value))
		return at_line(b->fault, t, "neither register, number nor known name");
	*at = constant(b, size < 8 ? value & (((uint64_t)1 << 8 * size) - 1) : value, size);
	return 0;
}

static int lanes(struct builder *b, const struct statement *s, const struct op *op,
		 struct ins *i)
{
	i->kind = INS_LANES;
	i->fn = op->fn;
	i->op = op;
	if (s->n_data != op->n || s->has_address)
		return at_line(b->fault, &s->name, "has another number of operands");
	for (size_t k = 0; k < op->n; k++)
		if (operand(b, &s->data[k], op->sizes[k], &i->at[k]) < 0)
			return -1;
	return 0;
}

/* ld.SPACE[.v2|.v4].TYPE and st; "nc" says only how it is cached. */
static bool read_access(const struct token *name, struct ins *i)
{
	char text[64], *rest = text, *part;
	bool has_space = false, has_width = false;

	if (name->n >= sizeof text)
		return false;
	memcpy(text, name->s, name->n);
	text[name->n] = 0;
	part = strsep(&rest, ".");
	i->kind = strcmp(part, "ld") == 0 ? INS_LOAD : INS_STORE;
	i->n_vector = 1;
	for (part = strsep(&rest, "."); part; part = strsep(&rest, ".")) {
		bool is_known = strcmp(part, "nc") == 0;

		for (int s = 0; s < SPACE_COUNT && !has_space; s++)
			if (strcmp(part, space_names[s]) == 0) {
				i->space = (enum space)s;
				is_known = has_space = true;
			}
		if (strcmp(part, "v2") == 0 || strcmp(part, "v4") == 0) {
			i->n_vector = (uint8_t)(part[1] - '0');
			is_known = true;
		}
		for (size_t w = 0; w < sizeof widths / sizeof *widths && !rest; w++)
			if (strcmp(part, widths[w].name) == 0) {
				i->width = widths[w].size;
				i->is_signed = widths[w].is_signed;
				is_known = has_width = true;
			}
		if (!is_known)
			return false;
	}
	return has_space && has_width;
}

static int access(struct builder *b, const struct statement *s, struct ins *i)
{
	uint32_t size;

	if (!read_access(&s->name, i) || !s->has_address || s->n_data != i->n_vector)
		return at_line(b->fault, &s->name, "is not an instruction of this machine");
	if (i->kind == INS_STORE && i->space != SPACE_LOCAL && i->width < 4)
		return at_line(b->fault, &s->name, "stores less than four bytes, which is not "
			       "watched here");
	if (i->kind == INS_STORE && i->space == SPACE_PARAM)
		return at_line(b->fault, &s->name, "changes a parameter");
	i->offset = s->offset;
	i->is_floats = i->width == 4;
	i->address_width = 8;
	if (find_register(b, &s->address, &i->at[PTX_OPERANDS - 1], &size))
		i->address_width = (uint8_t)size;
	else if (operand(b, &s->address, 8, &i->at[PTX_OPERANDS - 1]) < 0)
		return -1;
	if (i->address_width < 4)
		return at_line(b->fault, &s->address, "is no address");
	for (size_t k = 0; k < s->n_data; k++) {
		uint32_t width = i->width < 2 ? 2 : i->width;

		i->at[k] = nowhere;
		if (token_is(&s->data[k], "_")) {
			i->is_floats = false;
			continue;
		}
		if (find_register(b, &s->data[k], &i->at[k], &width) ? width < i->width :
		    operand(b, &s->data[k], width, &i->at[k]) < 0)
			return at_line(b->fault, &s->data[k], "cannot hold that");
		i->reg_width = (uint8_t)width;
		i->is_floats = i->is_floats && width == 4;
	}
	return 0;
}

static int branch(struct builder *b, const struct statement *s, struct ins *i)
{
	i->kind = INS_BRANCH;
	if (s->n_data != 1)
		return at_line(b->fault, &s->name, "goes nowhere");
	b->jumps = grown(b->jumps, b->n_jumps, sizeof *b->jumps);
	b->jumps[b->n_jumps++] = (struct symbol){ s->data[0], (uint32_t)b->k->n_code - 1 };
	return 0;
}

static int barrier(struct builder *b, const struct statement *s, struct ins *i)
{
	i->kind = INS_BARRIER;
	if (s->n_data != 1 || !token_is(&s->data[0], "0"))
		return at_line(b->fault, &s->name, "is another barrier than that of all threads");
	return 0;
}

static int decode(struct builder *b, const struct statement *s, struct ins *i)
{
	const struct token *t = &s->name;
	const struct op *op;
	char name[64];

	snprintf(name, sizeof name, "%.*s", (int)t->n, t->s);
	if (strncmp(name, "ld.", 3) == 0 || strncmp(name, "st.", 3) == 0)
		return access(b, s, i);
	if (token_is(t, "bra") || token_is(t, "bra.uni"))
		return branch(b, s, i);
	if (token_is(t, "bar.sync") || token_is(t, "barrier.sync.aligned"))
		return barrier(b, s, i);
	if (token_is(t, "ret") || token_is(t, "exit")) {
		i->kind = INS_END;
		return 0;
	}
	op = op_find(name);
	return op ? lanes(b, s, op, i) :
	       at_line(b->fault, t, "is not an instruction of this machine");
}

int build(struct builder *b, const struct statement *s)
{
	struct kernel *k = b->k;
	struct ins *i;

	k->code = grown(k->code, k->n_code, sizeof *k->code);
	i = &k->code[k->n_code++];
	*i = (struct ins){ .line = s->name.line, .is_guarded = s->is_guarded,
			   .guard_is_not = s->guard_is_not };
	if (s->is_guarded && operand(b, &s->guard, 1, &i->guard) < 0)
		return -1;
	return decode(b, s, i);
}

int build_targets(struct builder *b)
{
	for (size_t j = 0; j < b->n_jumps; j++) {
		const struct token *to = &b->jumps[j].name;
		size_t l = 0;

		while (l < b->n_labels && (b->labels[l].name.n != to->n ||
					   memcmp(b->labels[l].name.s, to->s, to->n) != 0))
			l++;
		if (l == b->n_labels)
			return at_line(b->fault, to, "is no label here");
		b->k->code[b->jumps[j].value].target = b->labels[l].value;
	}
	return 0;
}
