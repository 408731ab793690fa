// Private to this folder. Listening sockets. They are accepted from by hand and not by uv_listen, because libuv closes the
// waiting connections when descriptors run out; here they wait.
#pragma once

#include <memory>
#include <string>

#include "runtime/net/uv_loop.h"

namespace runtime::net {

base::Result<std::unique_ptr<Listener>> ListenOn(Loop* loop, const std::string& host, uint16_t port, PortUse use,
                                                 Transport::AcceptCallback on_accept);

}  // namespace runtime::net
