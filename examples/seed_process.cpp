// SPDX-License-Identifier: BSL-1.0
// requires: boost
//
// A function in a process of its own.
#include <iostream>

#include <trine/process.hpp>

void my_function() { std::cout << "Hello from a subprocess!\n"; }

int main() {
  trine::Process my_process(my_function);
  my_process.join();
}
