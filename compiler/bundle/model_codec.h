// A checked policy as bytes. Made from the types of the model (walk.h), so nothing in it can be forgotten; two builds whose
// models differ have different schemas, and neither reads what the other wrote.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "compiler/model/places.h"
#include "compiler/model/policy.h"

namespace compiler::bundle {

// Deep structures are refused, whoever wrote them.
inline constexpr int kMaxDepth = 512;

std::string EncodePolicy(const model::Policy& policy);

// Null for bytes that EncodePolicy of this schema did not make: never a policy in part, whatever they are.
std::optional<model::Policy> DecodePolicy(std::string_view bytes);

// Likewise.
std::string EncodePlaces(const model::Places& places);
std::optional<model::Places> DecodePlaces(std::string_view bytes);

// 16 hex digits that differ where the types of the model, the tables of settings, facts, errors or methods do.
std::string SchemaId();

// Whether two policies are the same in every member. Patterns are, if they are written alike.
bool IsSame(const model::Policy& a, const model::Policy& b);

}  // namespace compiler::bundle
