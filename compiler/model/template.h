// Renders a Template over the facts of a request: cache keys, header values, bodies.
#pragma once

#include <string>

#include "compiler/abi/facts.h"
#include "compiler/model/settings.h"

namespace compiler::model {

// Appends the text to *out. What is absent adds nothing; a Duration is written in ms, a Bool as true or false, JSON as
// Template::place asks. Pure; thread-safe.
void Render(const Template& text, const abi::Facts& facts, std::string* out);

// A merge patch: as Render, but a value that is alone in a string of JSON (and no name) keeps its type – numbers, truths, what a member
// of the request holds – and where it is absent the member or element is left out.
void RenderPatch(const Template& patch, const abi::Facts& facts, std::string* out);

// The body with its values written out: `values` is none.
Body Resolve(const Body& body, const abi::Facts& facts);

}  // namespace compiler::model
