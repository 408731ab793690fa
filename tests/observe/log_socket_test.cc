// Lines to the log daemons of the machine, as datagrams that these daemons read.
#include "runtime/observe/log_socket.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <regex>
#include <string>

#include "runtime/observe/line_log.h"

namespace tests {
namespace {

using runtime::observe::LineLog;
using runtime::observe::LogSocket;

// A daemon's end.
class Daemon {
 public:
  explicit Daemon(const std::string& path) : path_(path) {
    fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0) << path;
    timeval patience{5, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  ~Daemon() {
    close(fd_);
    std::filesystem::remove(path_);
  }
  std::optional<std::string> Next() {
    std::string text(64 << 10, '\0');
    const ssize_t n = recv(fd_, text.data(), text.size(), 0);
    if (n < 0) return std::nullopt;
    text.resize(static_cast<size_t>(n));
    return text;
  }

 private:
  const std::string path_;
  int fd_ = -1;
};

class LogSocketTest : public testing::Test {
 protected:
  LogSocketTest() : path_(std::filesystem::temp_directory_path() / ("log-socket-" + std::to_string(getpid()))) {}
  static bool Never(int) { return false; }
  const std::string path_;
};

TEST_F(LogSocketTest, NobodyThereIsAnErrorThatNamesThePath) {
  const auto opened = LogSocket::Open(LogSocket::Kind::kSyslog, path_);
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().find(path_), std::string::npos);
}

TEST_F(LogSocketTest, EachLineIsADatagramWithAHeadThatSyslogReads) {
  Daemon daemon(path_);
  auto opened = LogSocket::Open(LogSocket::Kind::kSyslog, path_);
  ASSERT_TRUE(opened) << opened.error();
  EXPECT_EQ((*opened)->Send("{\"a\":1}\n{\"b\":2}\n", Never), 0U);
  const std::regex head("<30>[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} breakwater\\[" + std::to_string(getpid()) +
                        "\\]: (.*)");
  for (const char* line : {"{\"a\":1}", "{\"b\":2}"}) {
    const std::string got = daemon.Next().value_or("nothing");
    std::smatch parts;
    ASSERT_TRUE(std::regex_match(got, parts, head)) << got;
    EXPECT_EQ(parts[1], line);
  }
}

TEST_F(LogSocketTest, JournaldGetsFields) {
  Daemon daemon(path_);
  auto opened = LogSocket::Open(LogSocket::Kind::kJournald, path_);
  ASSERT_TRUE(opened) << opened.error();
  EXPECT_EQ((*opened)->Send("{\"a\":1}\n", Never), 0U);
  EXPECT_EQ(daemon.Next(), "PRIORITY=6\nSYSLOG_IDENTIFIER=breakwater\nMESSAGE={\"a\":1}\n");
}

TEST_F(LogSocketTest, ADaemonThatWasRestartedIsFoundAgainAndWhatNobodyTookIsCounted) {
  auto first = std::make_unique<Daemon>(path_);
  auto opened = LogSocket::Open(LogSocket::Kind::kJournald, path_);
  ASSERT_TRUE(opened) << opened.error();
  first.reset();
  EXPECT_EQ((*opened)->Send("one\ntwo\n", Never), 2U);
  Daemon second(path_);
  EXPECT_EQ((*opened)->Send("three\n", Never), 0U);
  EXPECT_EQ(second.Next(), "PRIORITY=6\nSYSLOG_IDENTIFIER=breakwater\nMESSAGE=three\n");
}

TEST_F(LogSocketTest, ALineThatFitsIntoNoDatagramIsLostAndTheNextIsNot) {
  Daemon daemon(path_);
  auto opened = LogSocket::Open(LogSocket::Kind::kJournald, path_);
  ASSERT_TRUE(opened) << opened.error();
  EXPECT_EQ((*opened)->Send(std::string(4 << 20, 'x') + "\nshort\n", Never), 1U);
  EXPECT_EQ(daemon.Next(), "PRIORITY=6\nSYSLOG_IDENTIFIER=breakwater\nMESSAGE=short\n");
}

// Through the log's own thread, from lanes and as events.
TEST_F(LogSocketTest, ALogWritesToIt) {
  Daemon daemon(path_);
  auto opened = LogSocket::Open(LogSocket::Kind::kJournald, path_);
  ASSERT_TRUE(opened) << opened.error();
  {
    LineLog log(std::move(*opened));
    log.Write("an event");
    EXPECT_EQ(daemon.Next(), "PRIORITY=6\nSYSLOG_IDENTIFIER=breakwater\nMESSAGE=an event\n");
    runtime::observe::LogLane lane(log);
    for (const char c : {'a', 'b'}) {
      *lane.Room(1) = c;
      lane.MoveTo(lane.Room(0) + 1);
      lane.EndLine();
    }
    lane.HandOver();
    EXPECT_EQ(daemon.Next(), "PRIORITY=6\nSYSLOG_IDENTIFIER=breakwater\nMESSAGE=a\n");
    EXPECT_EQ(daemon.Next(), "PRIORITY=6\nSYSLOG_IDENTIFIER=breakwater\nMESSAGE=b\n");
    EXPECT_EQ(log.dropped(), 0U);
  }
}

}  // namespace
}  // namespace tests
