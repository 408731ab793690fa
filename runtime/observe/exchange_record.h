// The one record of an exchange, from which its line of the log and its metrics are made (exchange_recorder.h writes it). Data only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "compiler/model/settings.h"
#include "runtime/engine/outcome.h"

namespace runtime::observe {

struct AttemptRecord {
  compiler::model::UpstreamId upstream;
  int number = 1;
  engine::Outcome outcome;
  engine::OutcomeClass outcome_class{};       // as its breaker counted it
  base::Duration began{};                     // behind the arrival of the request
  base::Duration took{};
  std::optional<base::Duration> head = {};    // behind its beginning: when its answer's head came …
  std::optional<base::Duration> content = {};  // … and its first content
  std::optional<base::Duration> retry_after = {};  // how long its answer asked to be left alone
  std::string address = {};                   // that was connected to, where the url names a host; empty: the url says it
  std::string detail = {};                    // of a failure, in the upstream's own words or the parser's
  bool is_cancelled = false;  // the gateway ended it itself: nobody was there any more for what would have come
  // What was decided then.
  std::optional<base::Duration> retry_wait = {};  // it was tried again after so long
  std::string_view retry_denied = {};         // a name of retry_denials.def
  std::string_view move_denied = {};          // likewise: the next upstream was not asked
  std::string_view tls_reason = {};         // of a tls_failure: its name (tls_reasons.def); empty: none
};

// How the exchange ended for its client. kOwn: what it got is no answer of an upstream, but one that the gateway made or kept.
enum class EndedHow : uint8_t { kComplete, kContinued, kUnfinished, kCut, kClientGone, kOwn };
std::string_view Name(EndedHow how);

// What an answer of a model used, as the upstream that ended it counted it. kNoCount: it didn't.
struct TokenRecord {
  static constexpr int64_t kNoCount = -1;
  std::string model;  // as the upstream names it
  int64_t prompt = kNoCount;
  int64_t completion = kNoCount;
  int64_t frames = 0;  // with content: all that is known of an answer that was cut
  bool has_answer = false;
  bool is_read = false;        // the answer was looked into; false: nothing above is known
  bool is_of_model = false;    // … and it is one of a dialect that the gateway knows
};

struct ExchangeRecord {
  std::string_view route = "none";
  compiler::model::RouteId route_id;    // none: no route took it
  // Names are the policy's.
  std::string_view served_by = "gateway";
  std::string_view fallback;            // empty: none
  std::string fallback_reason;
  std::vector<AttemptRecord> attempts;
  compiler::model::UpstreamId refused_by;  // whose breaker or queue let it not through, the last of them; none: no such thing
  base::Duration queued{};              // waited for places at upstreams, in all
  base::Duration loading{};             // waited for models to be loaded, in all
  std::optional<base::Duration> content;  // behind the arrival: the first content for the client
  std::string_view retry_denied;        // the last reason; empty: none
  std::string decided;                  // the line of the policy (decided.h); empty: none
  std::string model;                    // that the client asked for; empty: none, or nobody read it
  std::string_view tls_reason, tls_text;  // of the last handshake that failed (tls_reasons.def); empty: none did
  int status = 0;                       // sent to the client; 0: none
  uint64_t bytes_in = 0;                // of the request's body
  uint64_t bytes_out = 0;               // to the client, heads included
  TokenRecord tokens;
  int keep_alives = 0;                  // sent while the client waited
  int continuations = 0;                // times that another upstream took a cut answer over
  EndedHow how = EndedHow::kComplete;

  // That was asked last, or would have been; none: none was.
  compiler::model::UpstreamId last_upstream() const {
    return refused_by.has_value() || attempts.empty() ? refused_by : attempts.back().upstream;
  }
};

}  // namespace runtime::observe
