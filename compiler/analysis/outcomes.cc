#include "compiler/analysis/outcomes.h"

#include <algorithm>
#include <set>

namespace compiler::analysis {

using abi::ErrorKind;

bool IsMadeByGateway(ErrorKind error) {
  return error == ErrorKind::k_queue_full || error == ErrorKind::k_queue_timeout || error == ErrorKind::k_breaker_open ||
         error == ErrorKind::k_client_timeout;
}

bool IsBeforeSending(ErrorKind error) {
  switch (error) {
    case ErrorKind::k_connect_failure:
    case ErrorKind::k_refused:
    case ErrorKind::k_dns_failure:
    case ErrorKind::k_connect_timeout:
    case ErrorKind::k_tls_failure: return true;
    default: return false;
  }
}

std::vector<ErrorKind> AttemptErrors() {
  std::vector<ErrorKind> errors;
#define ERROR_KIND(name, is_timeout, doc) \
  if (!IsMadeByGateway(ErrorKind::k_##name) && ErrorKind::k_##name != ErrorKind::k_unfinished) errors.push_back(ErrorKind::k_##name);
#include "compiler/abi/errors.def"
#undef ERROR_KIND
  return errors;
}

Known AtStatus(int status) {
  Known known;
  known.Set(abi::FieldId::k_status, status, status);
  known.SetAbsent(abi::FieldId::k_error);
  known.SetAbsent(abi::FieldId::k_first_token);
  return known;
}

Known AtError(ErrorKind error) {
  Known known;
  known.Set(abi::FieldId::k_error, static_cast<int64_t>(error), static_cast<int64_t>(error));
  known.SetAbsent(abi::FieldId::k_first_token);
  if (IsBeforeSending(error)) known.SetAbsent(abi::FieldId::k_status);
  return known;
}

namespace {

// Between two neighbours of these no comparison and no set changes its mind.
void AddBorders(const model::Expr& expr, std::set<int64_t>* borders) {
  const auto add = [borders](int64_t at) { borders->insert({at - 1, at, at + 1}); };
  if (expr.kind == model::ExprKind::kLiteral && expr.literal.type == abi::BaseType::kStatus) add(expr.literal.integer);
  if (expr.kind == model::ExprKind::kLiteral && expr.literal.type == abi::BaseType::kInt) add(expr.literal.integer);
  if (expr.kind == model::ExprKind::kLiteral && expr.literal.type == abi::BaseType::kNumber &&
      expr.literal.number > 0 && expr.literal.number < 1000)
    add(static_cast<int64_t>(expr.literal.number));
  for (const model::SetMember& member : expr.set) {
    if (member.low.type != abi::BaseType::kStatus) continue;
    add(member.low.integer);
    add(member.high);
  }
  for (const model::Expr& operand : expr.operands) AddBorders(operand, borders);
}

}  // namespace

std::vector<int> TellingStatuses(const model::Expr& expr, int low, int high) {
  std::set<int64_t> borders = {low, high};
  AddBorders(expr, &borders);
  std::vector<int> statuses;
  for (const int64_t status : borders) {
    if (status >= low && status <= high) statuses.push_back(static_cast<int>(status));
  }
  return statuses;
}

std::span<const int> ClientErrors() {
  static constexpr int kStatuses[] = {400, 401, 403, 404, 405, 406, 410, 411, 413, 414, 415, 422, 431};
  return kStatuses;
}

}  // namespace compiler::analysis
