#include "runtime/engine/outcome.h"

#include <gtest/gtest.h>

#include "compiler/abi/fact_table.h"

namespace runtime::engine {
namespace {

TEST(Classify, AnswersByStatus) {
  for (const int status : {200, 201, 204, 206, 301, 304, 399}) {
    EXPECT_EQ(Classify({status, ErrorKind::kNone}), OutcomeClass::kSuccess) << status;
  }
  for (const int status : {400, 401, 404, 408, 413, 429, 499, 501, 505}) {
    EXPECT_EQ(Classify({status, ErrorKind::kNone}), OutcomeClass::kNeutral) << status;
  }
  for (const int status : {500, 502, 503, 504, 507, 599}) {
    EXPECT_EQ(Classify({status, ErrorKind::kNone}), OutcomeClass::kFailure) << status;
  }
}

TEST(Classify, EveryErrorOfAnAttemptIsAFailureAndEveryOneOfTheGatewayNeutral) {
  int failures = 0;
#define ERROR_KIND(name, is_timeout, doc)                                                                         \
  {                                                                                                               \
    const std::string_view text = #name;                                                                          \
    const bool own = text == "queue_full" || text == "queue_timeout" || text == "breaker_open" ||                 \
                     text == "client_timeout" || text == "exhausted" || text == "unfinished";                                             \
    EXPECT_EQ(Classify({0, ErrorKind::k_##name}), own ? OutcomeClass::kNeutral : OutcomeClass::kFailure) << text; \
    failures += own ? 0 : 1;                                                                                      \
  }
#include "compiler/abi/errors.def"
#undef ERROR_KIND
  EXPECT_EQ(failures, 12);
}

TEST(Classify, AnErrorOutweighsAStatus) {
  EXPECT_EQ(Classify({200, ErrorKind::k_truncated}), OutcomeClass::kFailure);
  EXPECT_EQ(Classify({404, ErrorKind::k_idle_timeout}), OutcomeClass::kFailure);
}

TEST(Classify, AnErrorInAStreamCountsByItsKind) {
  for (const int kind : {400, 401, 403, 404, 413, 422, 429}) {
    EXPECT_EQ(Classify({200, ErrorKind::k_stream_error, kind}), OutcomeClass::kNeutral) << kind;
  }
  for (const int kind : {0, 408, 500, 503, 504}) {
    EXPECT_EQ(Classify({200, ErrorKind::k_stream_error, kind}), OutcomeClass::kFailure) << kind;
  }
}

TEST(ShowsLife, ACompleteAnswerDoesButForAGates) {
  for (const int status : {200, 304, 400, 404, 413, 422}) EXPECT_TRUE(ShowsLife({status, ErrorKind::kNone})) << status;
  for (const int status : {0, 401, 403, 429, 500, 503}) EXPECT_FALSE(ShowsLife({status, ErrorKind::kNone})) << status;
  EXPECT_FALSE(ShowsLife({200, ErrorKind::k_truncated}));
  EXPECT_TRUE(ShowsLife({200, ErrorKind::k_stream_error, 400}));
}

TEST(Classify, NothingAtAllIsNeutral) { EXPECT_EQ(Classify({}), OutcomeClass::kNeutral); }

}  // namespace
}  // namespace runtime::engine
