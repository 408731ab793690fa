// What a service manager is told (sd_notify(3)): one datagram for each message to the socket that $NOTIFY_SOCKET names. Nothing
// happens where there is none.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace cli {

// "READY=1", or several lines. False: nobody listens, or it could not be sent.
bool Notify(std::string_view message);

// "RELOADING=1" with the time that systemd asks for beside it.
bool NotifyReloading();

// How often the manager wants to hear "WATCHDOG=1" of this process; nothing: not at all.
std::optional<std::chrono::microseconds> WatchdogInterval();

}  // namespace cli
