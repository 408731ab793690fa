#include "compiler/compile_bundle.h"

#include <algorithm>
#include <set>
#include <utility>

#include "compiler/compile.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/expand/expand.h"
#include "compiler/expand/imports.h"
#include "compiler/jit/jit.h"
#include "compiler/places.h"

namespace compiler {
namespace {

using diagnostics::Kind;

// Stand-ins that were handed out while the policy was checked.
struct StandIns {
  struct Use {
    source::SourceRange call;
    size_t number = 0;
  };
  std::vector<bundle::LateValue> values;
  std::vector<Use> uses;

  std::string For(source::SourceRange call, bundle::LateValue value) {
    const size_t number = static_cast<size_t>(std::find(values.begin(), values.end(), value) - values.begin());
    if (number == values.size()) values.push_back(std::move(value));
    uses.push_back({call, number});
    return bundle::StandIn(number);
  }

  void Refuse(size_t number, diagnostics::Diagnostics* diagnostics) const {
    for (const Use& use : uses) {
      if (use.number != number) continue;
      diagnostics->Emit(Kind::kReadTooLate, use.call, {values[number].variable});
    }
  }
};

std::string WithoutFolders(const std::string& name) { return name.substr(name.rfind('/') + 1); }

}  // namespace

std::optional<bundle::Content> CompileBundle(std::shared_ptr<const source::SourceBuffer> source, const BundleOptions& options,
                                             diagnostics::Diagnostics* diagnostics) {
  StandIns stand_ins;
  CompileOptions compile;
  compile.deny_mock = options.deny_mock;
  compile.late_value = [&](source::SourceRange call, const std::string& name, const std::optional<std::string>& fallback,
                           bool is_secret) { return stand_ins.For(call, {name, fallback, is_secret}); };
  std::optional<WrittenPolicy> written = CheckWritten(source, compile, diagnostics);
  // Where a value was not taken as a text, the stand-in is what does not fit, and nobody wrote that.
  std::set<size_t> refused;
  diagnostics->Drop([&](const diagnostics::Diagnostic& finding) {
    const auto number = bundle::FindStandIn(finding.message);
    if (number && *number < stand_ins.values.size() && finding.severity == diagnostics::Severity::kError) refused.insert(*number);
    return number.has_value();
  });
  if (written) refused.merge(bundle::ShapingStandIns(written->policy, stand_ins.values.size()));
  for (const size_t number : refused) stand_ins.Refuse(number, diagnostics);
  diagnostics->DropRepeats();
  if (!written || diagnostics->has_errors()) return std::nullopt;

  bundle::Content content;
  content.made_by = options.made_by;
  content.hash = std::move(written->hash);
  content.late_values = std::move(stand_ins.values);
  content.places = PlacesOf(*written);
  content.policy = std::move(written->policy);
  if (!options.cpu_level.empty()) {
    jit::ImageResult result = jit::MakeImage(content.policy, options.cpu_level);
    if (!result.image) {
      diagnostics->Emit(Kind::kJitFailed, {0, 0}, {result.error});
      return std::nullopt;
    }
    content.image = std::move(*result.image);
  }
  content.sources.push_back({WithoutFolders(source->name()), std::string(source->Text(source->own()))});
  for (const std::string& path : expand::ImportedPaths(source->Text(source->own()))) {
    const auto* import = source->FindImport(path);
    if (import != nullptr && import->part) content.sources.push_back({path, std::string(source->Text(*import->part))});
  }
  return content;
}

std::shared_ptr<const source::SourceBuffer> SourceOf(const bundle::Content& content) {
  if (content.sources.empty()) return std::make_shared<source::SourceBuffer>("policy", "");
  const auto read = [&content](const std::string& path) {
    ImportedText text;
    text.name = path;
    const auto found = std::find_if(content.sources.begin() + 1, content.sources.end(), [&](const auto& source) { return source.path == path; });
    if (found == content.sources.end()) text.why = "it is not in the bundle";
    else text.text = found->text;
    return text;
  };
  return ReadSource(content.sources[0].path, content.sources[0].text, read);
}

}  // namespace compiler
