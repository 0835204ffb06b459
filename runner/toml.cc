// SPDX-License-Identifier: GPL-2.0-only
// The only C++ here: copies toml++'s tree into the nodes of toml.h.
#include "runner/toml.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

namespace
{

char *copy_text(std::string_view s)
{
	char *text = static_cast<char *>(std::malloc(s.size() + 1));

	if (!text)
		return nullptr;
	std::memcpy(text, s.data(), s.size());
	text[s.size()] = '\0';
	return text;
}

class tree_copier
{
	toml_error *error;

    public:
	int err = 0;

	explicit tree_copier(toml_error *e)
		: error(e)
	{
	}

	toml_node *fail(int code, const toml::source_region &at,
			const char *text)
	{
		if (err)
			return nullptr;
		err = code;
		error->line = at.begin.line;
		error->column = at.begin.column;
		std::snprintf(error->text, sizeof(error->text), "%s", text);
		return nullptr;
	}

	toml_node *copy(const toml::node &from, const toml::key *key);

    private:
	bool copy_value(const toml::node &from, toml_node *to);
	bool copy_children(const toml::node &from, toml_node *to);
};

bool tree_copier::copy_value(const toml::node &from, toml_node *to)
{
	if (const auto *s = from.as_string()) {
		std::string_view text = s->get();

		to->type = TOML_NODE_STRING;
		if (text.find('\0') != text.npos)
			return fail(-EINVAL, from.source(),
				    "a string must not contain a NUL");
		to->string = copy_text(text);
		return to->string || fail(-ENOMEM, from.source(), "memory");
	}
	if (const auto *i = from.as_integer()) {
		to->type = TOML_NODE_INT;
		to->integer = i->get();
	} else if (const auto *f = from.as_floating_point()) {
		to->type = TOML_NODE_FLOAT;
		to->real = f->get();
	} else if (const auto *b = from.as_boolean()) {
		to->type = TOML_NODE_BOOL;
		to->boolean = b->get();
	} else {
		to->type = TOML_NODE_TIME;
	}
	return true;
}

bool tree_copier::copy_children(const toml::node &from, toml_node *to)
{
	const auto *table = from.as_table();
	const auto *array = from.as_array();
	size_t nr = table ? table->size() : array->size();

	to->type = table ? TOML_NODE_TABLE : TOML_NODE_ARRAY;
	to->child = static_cast<toml_node **>(
		std::calloc(nr ? nr : 1, sizeof(*to->child)));
	if (!to->child)
		return fail(-ENOMEM, from.source(), "memory");

	if (array) {
		for (const auto &element : *array) {
			toml_node *child = copy(element, nullptr);

			if (!child)
				return false;
			to->child[to->nr++] = child;
		}
		return true;
	}

	for (const auto &[key, value] : *table) {
		toml_node *child = copy(value, &key);

		if (!child)
			return false;
		to->child[to->nr++] = child;
	}
	// toml++ sorts by name; errors should come in the file's order
	std::sort(to->child, to->child + to->nr,
		  [](const toml_node *a, const toml_node *b) {
			  if (a->key_line != b->key_line)
				  return a->key_line < b->key_line;
			  return a->key_column < b->key_column;
		  });
	return true;
}

toml_node *tree_copier::copy(const toml::node &from, const toml::key *key)
{
	auto *to = static_cast<toml_node *>(std::calloc(1, sizeof(toml_node)));

	if (!to)
		return fail(-ENOMEM, from.source(), "memory");
	to->line = from.source().begin.line;
	to->column = from.source().begin.column;
	if (key) {
		to->key_line = key->source().begin.line;
		to->key_column = key->source().begin.column;
		to->key = copy_text(key->str());
		if (!to->key) {
			toml_free(to);
			return fail(-ENOMEM, from.source(), "memory");
		}
		if (std::strlen(to->key) != key->str().size()) {
			toml_free(to);
			return fail(-EINVAL, from.source(),
				    "a key must not contain a NUL");
		}
	}

	bool ok = from.is_table() || from.is_array() ?
			  copy_children(from, to) :
			  copy_value(from, to);
	if (!ok) {
		toml_free(to);
		return nullptr;
	}
	return to;
}

}

extern "C" int toml_parse(const char *text, size_t len, toml_node **root,
			  toml_error *error)
try {
	toml::parse_result result = toml::parse(std::string_view(text, len));

	if (!result) {
		const toml::parse_error &e = result.error();
		std::string_view why = e.description();

		error->line = e.source().begin.line;
		error->column = e.source().begin.column;
		std::snprintf(error->text, sizeof(error->text), "%.*s",
			      static_cast<int>(why.size()), why.data());
		return -EINVAL;
	}

	tree_copier copier(error);
	toml_node *node = copier.copy(result.table(), nullptr);

	if (!node)
		return copier.err;
	*root = node;
	return 0;
} catch (const std::bad_alloc &) {
	return -ENOMEM;
}

extern "C" void toml_free(toml_node *node)
{
	if (!node)
		return;
	for (size_t i = 0; i < node->nr; i++)
		toml_free(node->child[i]);
	std::free(node->child);
	std::free(node->key);
	std::free(node->origin);
	std::free(node->string);
	std::free(node);
}
