// What the conditions of a policy came to while its tests ran: each `when` line, and each `let` that is true or false.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "compiler/abi/predicate.h"
#include "compiler/compiled_policy.h"
#include "compiler/model/origins.h"

namespace runtime::tester {

struct Condition {
  std::string what;                     // "route chat: when", "let busy"
  compiler::source::SourceRange place;  // of what stands behind it
  bool was_true = false;
  bool was_false = false;

  bool was_asked() const { return was_true || was_false; }
};

class Coverage {
 public:
  // `origins`: of the same policy; it is not needed afterwards.
  Coverage(const compiler::CompiledPolicy& compiled, const compiler::model::Origins& origins);
  ~Coverage();
  Coverage(const Coverage&) = delete;
  Coverage& operator=(const Coverage&) = delete;

  // Puts itself between the policy and its predicates, and makes the policy ask all routes in their order: the index leaves out those
  // that cannot hold. It must outlive the policy's use.
  void Watch(compiler::CompiledPolicy* compiled);

  // In the order of the file. Conditions that say the same are one predicate: what one of them came to all of them did.
  std::vector<Condition> Conditions() const;

 private:
  struct Probe;
  struct Part;

  void AddLines(const compiler::CompiledPolicy& compiled, const std::string& what,
                const std::vector<const compiler::model::WhenOrigin*>& lines,
                const std::vector<compiler::abi::PredicateId>& predicates);
  void Record(const Probe& probe, bool held, const compiler::abi::Facts& facts);

  std::vector<Condition> conditions_;
  std::vector<std::unique_ptr<Probe>> probes_;  // by predicate
};

}  // namespace runtime::tester
