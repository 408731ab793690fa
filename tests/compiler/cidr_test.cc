// Addresses and networks as numbers.
#include "base/cidr.h"

#include <gtest/gtest.h>

namespace base {
namespace {

Cidr Network(std::string_view text) {
  CidrError error;
  const auto cidr = ParseCidr(text, &error);
  EXPECT_TRUE(cidr) << text << ": " << error.reason;
  return cidr.value_or(Cidr{});
}

bool Holds(std::string_view network, std::string_view address) { return Network(network).Contains(*ParseIp(address)); }

TEST(Cidr, HoldsTheAddressesOfItsPrefixAndNoOthers) {
  EXPECT_TRUE(Holds("10.0.0.0/8", "10.255.0.1"));
  EXPECT_FALSE(Holds("10.0.0.0/8", "11.0.0.0"));
  EXPECT_TRUE(Holds("192.168.4.0/22", "192.168.7.255"));
  EXPECT_FALSE(Holds("192.168.4.0/22", "192.168.8.0"));
  EXPECT_TRUE(Holds("0.0.0.0/0", "203.0.113.9"));
  EXPECT_FALSE(Holds("0.0.0.0/0", "2001:db8::1"));
  EXPECT_TRUE(Holds("::/0", "203.0.113.9")) << "all of IPv6 holds the mapped addresses";
  EXPECT_TRUE(Holds("fd00::/8", "fd12::1"));
  EXPECT_FALSE(Holds("fd00::/8", "fe80::1"));
  EXPECT_TRUE(Holds("2001:db8::/33", "2001:db8:7fff::"));
  EXPECT_FALSE(Holds("2001:db8::/33", "2001:db8:8000::"));
}

TEST(Cidr, AnAddressIsANetworkOfOne) {
  EXPECT_TRUE(Holds("192.0.2.7", "192.0.2.7"));
  EXPECT_FALSE(Holds("192.0.2.7", "192.0.2.8"));
  EXPECT_EQ(Network("192.0.2.7"), Network("192.0.2.7/32"));
  EXPECT_EQ(Network("::1"), Network("::1/128"));
}

TEST(Cidr, MappedAddressIsItsIpv4Address) {
  EXPECT_TRUE(Holds("10.0.0.0/8", "::ffff:10.1.2.3"));
  EXPECT_EQ(ParseIp("::ffff:10.1.2.3"), ParseIp("10.1.2.3"));
}

TEST(Cidr, PrintsAsItIsWritten) {
  for (const char* text : {"10.0.0.0/8", "0.0.0.0/0", "192.0.2.7", "fd00::/8", "::/0", "::1"})
    EXPECT_EQ(Network(text).ToString(), text);
}

TEST(Cidr, WhatIsNoneIsRefusedWithAReason) {
  for (const char* text : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/8x", "10.0.0/8", "10.0.0.256",
                           "010.0.0.1", "fd00::/129", "fd00:/8", "::1%lo", "[::1]", "example", "10.0.0.1:80"}) {
    CidrError error;
    EXPECT_FALSE(ParseCidr(text, &error)) << text;
    EXPECT_NE(error.reason, "");
    EXPECT_NE(error.help, "");
  }
  CidrError error;
  EXPECT_FALSE(ParseCidr("10.1.2.3/8", &error));
  EXPECT_EQ(error.help, "the network is written 10.0.0.0/8");
}

}  // namespace
}  // namespace base
