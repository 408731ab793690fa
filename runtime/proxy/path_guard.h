// What keeps clients from changing an Ollama: of the paths below /api/ only those pass that ask it something, unless a route of the
// policy names the path itself. Judged is the path that the upstream is asked at, and the one in front of which its base stands. Pure; one for
// each policy.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/id.h"
#include "compiler/model/policy.h"

namespace runtime::proxy {

// Whether servers that decode a path and mind no case could take it for one below /api/ that changes them: anything there but chat,
// generate, embed, embeddings, tags, show, ps and version, and what is a model API's path by how it ends.
// `is_simple`: by http::IsSimplePath.
bool ChangesOllama(std::string_view sent_path, bool is_simple = false);

class PathGuard {
 public:
  explicit PathGuard(const compiler::model::Policy& policy);

  // `path`: as the client asked, normalised. True: a request of it on this route must not go to the upstream, which would be asked
  // at `sent_path`.
  bool Refuses(compiler::model::RouteId route, const compiler::model::UpstreamSettings& upstream, std::string_view path,
               std::string_view sent_path, bool sent_path_is_simple = false) const;

 private:
  base::IdVector<compiler::model::RouteId, std::vector<std::string>> named_;  // by equality or in a set
};

}  // namespace runtime::proxy
