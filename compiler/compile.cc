#include "compiler/compile.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "base/digest.h"
#include "compiler/analysis/analyse.h"
#include "compiler/check/check.h"
#include "compiler/compile_apart.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/expand/expand.h"
#include "compiler/jit/jit.h"
#include "compiler/model/interpret.h"
#include "compiler/parse/follow_ups.h"
#include "compiler/places.h"
#include "compiler/testcase/tests.h"

namespace compiler {
namespace {

// The text without its tests and the white space before them: a policy is the same with a test as without.
std::string WithoutTests(const ast::File& file) {
  std::vector<source::SourceRange> tests;
  for (const ast::Statement& statement : file.body) {
    const auto* block = std::get_if<ast::Block>(&statement.node);
    if (std::holds_alternative<ast::Test>(statement.node) || (block != nullptr && testcase::IsCommon(*block))) tests.push_back(statement.range);
  }
  std::sort(tests.begin(), tests.end(), [](const auto& a, const auto& b) { return a.begin < b.begin; });
  std::string text;
  uint32_t done = 0;
  for (const source::SourceRange test : tests) {
    text += file.text.substr(done, test.begin - done);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\n' || text.back() == '\r' || text.back() == '\t'))
      text.pop_back();
    done = test.end;
  }
  return text.append(file.text.substr(done));
}

void AddStatements(const std::vector<ast::Statement>& body, std::vector<source::SourceRange>* ranges) {
  for (const ast::Statement& statement : body) {
    ranges->push_back(statement.range);
    if (const auto* inner = ast::BodyOf(statement)) AddStatements(*inner, ranges);
  }
}

void SettleFixes(const ast::File& file, diagnostics::Diagnostics* diagnostics) {
  const auto& items = diagnostics->items();
  if (std::none_of(items.begin(), items.end(), [](const auto& item) { return item.fix.has_value(); })) return;
  std::vector<source::SourceRange> statements;
  AddStatements(file.body, &statements);
  AddStatements(file.unused_blocks, &statements);
  std::sort(statements.begin(), statements.end(), [](const auto& a, const auto& b) { return a.begin < b.begin; });
  diagnostics->SettleFixes(file.text, statements);
}

std::shared_ptr<CompiledPolicy> Indexed(model::Policy policy, std::string hash) {
  auto compiled = std::make_shared<CompiledPolicy>();
  compiled->policy = std::move(policy);
  compiled->routes = routes::RouteIndex(compiled->policy);
  compiled->hash = std::move(hash);
  return compiled;
}

}  // namespace

std::optional<std::string> ProcessEnvironment(const std::string& name) {
  if (const char* value = std::getenv(name.c_str()); value != nullptr) return std::string(value);
  // What systemd hands over (LoadCredential=NAME:…) is a file of that name: as if NAME_FILE named it.
  constexpr std::string_view kFile = "_FILE";
  const char* const folder = std::getenv("CREDENTIALS_DIRECTORY");
  if (folder == nullptr || !name.ends_with(kFile)) return std::nullopt;
  const std::string path = std::string(folder) + "/" + name.substr(0, name.size() - kFile.size());
  std::error_code none;
  if (!std::filesystem::is_regular_file(path, none)) return std::nullopt;
  return path;
}

std::optional<std::string> ReadSecretFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::ostringstream text;
  text << file.rdbuf();
  std::string secret = text.str();
  while (!secret.empty() && (secret.back() == '\n' || secret.back() == '\r')) secret.pop_back();
  return secret;
}

std::optional<WrittenPolicy> CheckWritten(std::string_view text, const CompileOptions& options,
                                          diagnostics::Diagnostics* diagnostics) {
  return CheckWritten(std::make_shared<source::SourceBuffer>("policy", text), options, diagnostics);
}

std::optional<WrittenPolicy> CheckWritten(std::shared_ptr<const source::SourceBuffer> source, const CompileOptions& options,
                                          diagnostics::Diagnostics* diagnostics) {
  WrittenPolicy written;
  written.source = std::move(source);
  const ast::File file = expand::ReadExpanded(*written.source, diagnostics);
  check::CheckOptions check_options;
  check_options.environment = options.environment ? options.environment : ProcessEnvironment;
  check_options.secret_file = ReadSecretFile;
  check_options.late_value = options.late_value;
  check_options.for_run = options.for_run;
  check_options.deny_mock = options.deny_mock;
  std::optional<model::Policy> policy = check::Check(file, check_options, &written.origins, diagnostics);
  // What a policy is to do does not hang on its tests.
  if (!options.for_run) written.tests = testcase::CheckTests(file, diagnostics);
  DropFollowUps(written.source->text(), diagnostics);
  // Errors of the parser, too: what it mended by guessing must not run.
  const bool is_good = policy && !diagnostics->has_errors();
  if (is_good) {
    written.policy = std::move(*policy);
    written.hash = base::Sha256Hex(WithoutTests(file), 16);
    analysis::Analyse(written.policy, written.origins, {options.without_checks}, diagnostics);
  }
  for (const model::AllowOrigin& allow : written.origins.allows) {
    // In a policy with errors not everything was looked at, nor by checks that are switched off.
    const bool was_looked_at = is_good && !options.without_checks.contains(allow.code);
    if (diagnostics->Allow(allow.code, allow.scope) == 0 && was_looked_at)
      diagnostics->Emit(diagnostics::Kind::kAllowsNothing, allow.code_range, {allow.code}).Change(allow.statement, "");
  }
  diagnostics->DropRepeats();  // of blocks that several upstreams name
  diagnostics->DropFixesOutside(written.source->own());
  SettleFixes(file, diagnostics);
  if (!is_good || diagnostics->has_errors()) return std::nullopt;
  return written;
}

std::optional<model::Policy> CheckPolicy(std::string_view text, const CompileOptions& options,
                                         diagnostics::Diagnostics* diagnostics) {
  std::optional<WrittenPolicy> written = CheckWritten(text, options, diagnostics);
  if (!written) return std::nullopt;
  return std::move(written->policy);
}

std::shared_ptr<const CompiledPolicy> CompileInterpreted(std::string_view text, const CompileOptions& options,
                                                         diagnostics::Diagnostics* diagnostics) {
  return CompileInterpreted(std::make_shared<source::SourceBuffer>("policy", text), options, diagnostics);
}

std::shared_ptr<const CompiledPolicy> CompileInterpreted(std::shared_ptr<const source::SourceBuffer> source,
                                                         const CompileOptions& options, diagnostics::Diagnostics* diagnostics) {
  std::optional<WrittenPolicy> written = CheckWritten(std::move(source), options, diagnostics);
  if (!written) return nullptr;
  model::Places places = PlacesOf(*written);
  std::shared_ptr<CompiledPolicy> compiled = Indexed(std::move(written->policy), std::move(written->hash));
  compiled->places = std::move(places);
  compiled->predicates = model::InterpretedPredicates(compiled->policy);
  return compiled;
}

std::shared_ptr<const CompiledPolicy> CompilePolicy(std::string_view text, const CompileOptions& options,
                                                    diagnostics::Diagnostics* diagnostics) {
  return CompilePolicy(std::make_shared<source::SourceBuffer>("policy", text), options, diagnostics);
}

std::shared_ptr<const CompiledPolicy> CompilePolicy(std::shared_ptr<const source::SourceBuffer> source,
                                                    const CompileOptions& options, diagnostics::Diagnostics* diagnostics) {
  std::optional<WrittenPolicy> written = CheckWritten(std::move(source), options, diagnostics);
  if (!written) return nullptr;
  model::Places places = PlacesOf(*written);
  const auto compile = options.apart ? CompileApart : CompileChecked;
  auto compiled = compile(std::move(written->policy), std::move(written->hash), diagnostics);
  if (compiled != nullptr) compiled->places = std::move(places);
  return compiled;
}

std::shared_ptr<CompiledPolicy> CompileChecked(model::Policy policy, std::string hash,
                                               diagnostics::Diagnostics* diagnostics) {
  std::shared_ptr<CompiledPolicy> compiled = Indexed(std::move(policy), std::move(hash));
  jit::JitResult result = jit::CompilePredicates(compiled->policy);
  if (result.code == nullptr) {
    diagnostics->Emit(diagnostics::Kind::kJitFailed, {0, 0}, {result.error});
    return nullptr;
  }
  compiled->predicates = std::move(result.predicates);
  compiled->code = std::move(result.code);
  return compiled;
}

}  // namespace compiler
