#include "runtime/observe/exchange_record.h"

namespace runtime::observe {

std::string_view Name(EndedHow how) {
  switch (how) {
    case EndedHow::kComplete: return "complete";
    case EndedHow::kContinued: return "continued";
    case EndedHow::kUnfinished: return "unfinished";
    case EndedHow::kCut: return "cut";
    case EndedHow::kClientGone: return "client_gone";
    case EndedHow::kOwn: return "own";
  }
  return "";
}

}  // namespace runtime::observe
