// Private to this folder. Name look-ups on libuv's thread pool.
#pragma once

#include <memory>
#include <string>

#include "runtime/net/uv_loop.h"

namespace runtime::net {

std::unique_ptr<Resolution> ResolveOn(Loop* loop, const std::string& host, uint16_t port,
                                      Transport::ResolveCallback done);

}  // namespace runtime::net
