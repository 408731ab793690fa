// Which line of the policy decided that a client got something else than an upstream's answer, or no further try.
#pragma once

#include <string>

#include "compiler/model/places.h"
#include "compiler/model/policy.h"
#include "runtime/observe/breaker_news.h"
#include "runtime/observe/exchange_record.h"

namespace runtime::observe {

// "chat.policy:31"; empty: none did, or it is not known where that was written. `status`: that the client got.
std::string Decided(const compiler::model::Policy& policy, const compiler::model::Places& places,
                    const BreakerNews& breakers, const ExchangeRecord& record, int status);

}  // namespace runtime::observe
