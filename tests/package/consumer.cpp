// SPDX-License-Identifier: BSL-1.0

#include <cstdio>
#include <thread>
#include <trine/trine.hpp>

int main() {
  trine::Event<> go;
  std::jthread other([&] { go.set(); });
  if (go.wait()) std::puts("ok");
}
