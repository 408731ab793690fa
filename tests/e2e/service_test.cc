// The gateway as a service: what a manager hears of it and hands over to it, and what a container asks.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>

#include "tests/e2e/shell.h"
#include "tests/e2e/story.h"

namespace tests::e2e {
namespace {

TEST(Healthy, SaysWhetherTheGatewayIsReady) {
  Signal go;
  ScriptedUpstream upstream([&](UpstreamExchange& exchange) {
    if (exchange.WaitFor(go)) AnswerWell(exchange);
  });
  GatewayProcess gateway(support::ReplaceAll(Gateway(), "admin = \"127.0.0.1:0\"", "admin = \"localhost:0\"") +
                         Upstream("main", upstream.url()));
  const std::string ask =
      std::string(BREAKWATER_EXECUTABLE) + " healthy --admin localhost:" + std::to_string(gateway.admin_port());
  EXPECT_EQ(Shell(ask).code, 0);
  RawClient busy(gateway.port());
  busy.Send(ToText({.body = Chat("x")}));
  ASSERT_TRUE(WaitUntil([&] { return upstream.in_flight() == 1; }));
  gateway.process().Signal(SIGTERM);
  gateway.WaitForEvent("draining");
  const Ran draining = Shell(ask);
  EXPECT_EQ(draining.code, 1);
  EXPECT_TRUE(Holds(draining.output, "draining")) << draining.output;
  go.Set();
  EXPECT_EQ(gateway.process().WaitForExit(), 0);
  EXPECT_EQ(Shell(ask).code, 1);
}

TEST(ServiceManager, HearsWhatHappens) {
  ScriptedUpstream upstream(AnswerWell);
  const support::TempDir folder;
  const std::string path = (folder.path() / "notify").string();
  const int socket_fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(bind(socket_fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const timeval limit{20, 0};
  setsockopt(socket_fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  const auto hear = [&](const std::string& wanted) {
    char buffer[512];
    for (ssize_t got = recv(socket_fd, buffer, sizeof buffer, 0); got > 0;
         got = recv(socket_fd, buffer, sizeof buffer, 0)) {
      const std::string message(buffer, static_cast<size_t>(got));
      if (message.starts_with(wanted)) return message;
    }
    return std::string("nothing");
  };
  GatewayOptions options;
  options.environment = {{"NOTIFY_SOCKET", path}, {"WATCHDOG_USEC", "600000"}};
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url()), options);
  EXPECT_TRUE(Holds(hear("READY=1"), "STATUS=serving "));
  EXPECT_EQ(hear("WATCHDOG=1"), "WATCHDOG=1");
  EXPECT_EQ(hear("WATCHDOG=1"), "WATCHDOG=1");
  gateway.process().Signal(SIGHUP);
  EXPECT_TRUE(Holds(hear("RELOADING=1"), "MONOTONIC_USEC="));
  EXPECT_TRUE(Holds(hear("READY=1"), "STATUS=serving "));
  gateway.process().Signal(SIGTERM);
  EXPECT_TRUE(Holds(hear("STOPPING=1"), "STATUS="));
  close(socket_fd);
}

TEST(ServiceManager, SocketsThatItHandsOverAreUsed) {
  if (!std::filesystem::exists("/usr/bin/systemd-socket-activate")) GTEST_SKIP() << "no systemd-socket-activate";
  uint16_t port = 0;
  {
    ScriptedUpstream free_port(AnswerWell);
    port = free_port.port();
  }
  const support::TempDir folder;
  const std::string address = "127.0.0.1:" + std::to_string(port);
  const std::string policy = folder.Write("p.policy", "edition 1\ngateway { listen = \"" + address +
                                                          "\"  admin = off  workers = 2 }\nroute all { reply = it "
                                                          "}\nreply it { status = 200  text = \"activated\" }\n");
  support::ChildProcess activator(
      {"/usr/bin/systemd-socket-activate", "-l", address, BREAKWATER_EXECUTABLE, "run", policy}, {});
  Answer answer;
  EXPECT_TRUE(WaitUntil([&] {
    if (!RawClient(port).connected()) return false;
    answer = Get(port, "/");
    return answer.status == 200;
  }));
  EXPECT_EQ(answer.body, "activated");
  activator.Signal(SIGTERM);
  EXPECT_EQ(activator.WaitForExit(), 0);
}

}  // namespace
}  // namespace tests::e2e
