// A small seeded generator (xoshiro256**, Blackman & Vigna 2018). Passed in wherever chance plays, so that a seed repeats
// a run. Not for secrets. One thread each.
#pragma once

#include <bit>
#include <cstdint>

namespace base {

class Random {
 public:
  explicit Random(uint64_t seed) {
    for (uint64_t& word : state_) {  // splitmix64, as its authors advise
      seed += 0x9e3779b97f4a7c15;
      uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
      z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
      word = z ^ (z >> 31);
    }
  }

  uint64_t Next() {
    const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  // 0 ≤ result < 1.
  double Fraction() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }

  // 0 ≤ result < bound; bound > 0.
  uint64_t Below(uint64_t bound) { return Next() % bound; }

 private:
  uint64_t state_[4];
};

}  // namespace base
