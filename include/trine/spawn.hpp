// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <trine/backend/processes.hpp>
#include <trine/child.hpp>
#include <trine/error.hpp>
#include <trine/pool/wire.hpp>
#include <trine/process_table.hpp>

namespace trine {

/// Runs what a process is for, in it: its exit code. What is thrown is printed. What it is called stays for as long as it runs.
template <class Run>
int run_as_process(ChildReport<processes>& report, const ProcessInformation& information, Run&& run) noexcept {
  return report.guard([&] {
    ProcessTable::name(information);
    const auto complain = [&](const char* what) {
      std::fprintf(stderr, "trine: process '%s' (%d): %s\n", information.name.c_str(), os::process_id(), what);
    };
    try {
      return run();
    } catch (const std::exception& e) {
      complain(e.what());
      throw;
    } catch (...) {
      complain("an exception that is no std::exception");
      throw;
    }
  });
}

/// Calls a function with the elements of a tuple: its result if it is an int, else success.
template <class F, class Arguments>
int exit_code_of(F& function, Arguments&& arguments) {
  if constexpr (std::same_as<decltype(perform(function, std::forward<Arguments>(arguments))), int>) {
    return perform(function, std::forward<Arguments>(arguments));
  } else {
    static_cast<void>(perform(function, std::forward<Arguments>(arguments)));
    return EXIT_SUCCESS;
  }
}

/// Bytes of values one after the other, each with its length.
class SpawnBytes {
 public:
  template <class T>
  void add(const T& value) {
    static_assert(requires { sizeof(Codec<T>); }, "include <trine/codec.hpp>: arguments of a spawned process are encoded");
    const std::vector<std::byte> encoded = Message<T>::encode(value);
    const std::uint64_t size = encoded.size();
    bytes.insert(bytes.end(), reinterpret_cast<const std::byte*>(&size), reinterpret_cast<const std::byte*>(&size + 1));
    bytes.insert(bytes.end(), encoded.begin(), encoded.end());
  }

  std::vector<std::byte> bytes;
};

class SpawnedBytes {
 public:
  explicit SpawnedBytes(std::span<const std::byte> bytes) noexcept : left_(bytes) {}

  template <class T>
  T next() {
    std::uint64_t size = 0;
    std::memcpy(&size, take(sizeof(size)).data(), sizeof(size));
    return Message<T>::decode(take(size));
  }

 private:
  std::span<const std::byte> take(std::uint64_t size) {
    if (size > left_.size()) throw Error("trine: the arguments of a process are damaged");
    const auto taken = left_.first(size);
    left_ = left_.subspan(size);
    return taken;
  }

  std::span<const std::byte> left_;
};

/// What a spawned process runs first: a function of the image, which finds all else in the bytes.
using SpawnedMain = int(ChildReport<processes>&, std::span<const std::byte>);

template <class T>
inline constexpr bool is_reference = false;
template <class T>
inline constexpr bool is_reference<std::reference_wrapper<T>> = true;

/// A call of an F with arguments of types A in a new start of the program.
template <class F, class... A>
class SpawnedCall {
  static constexpr bool pointer = std::is_pointer_v<F> && std::is_function_v<std::remove_pointer_t<F>>;
  static_assert(pointer || (std::is_empty_v<F> && std::default_initializable<F>),
                "a spawned process takes an ordinary function or a lambda without captures");
  static_assert(!(is_reference<A> || ...), "std::ref means nothing in a program that is started anew: share objects by a name");

 public:
  struct Order {
    std::uint64_t function;
    std::vector<std::byte> bytes;
  };

  static Order order(const ProcessInformation& information, [[maybe_unused]] const F& function, const A&... arguments) {
    SpawnBytes bytes;
    bytes.add(information.name);
    bytes.add(information.daemon);
    if constexpr (pointer) bytes.add(os::Image::here().offset_of(function));
    (bytes.add(arguments), ...);
    return {os::Image::here().offset_of(&SpawnedCall::main), std::move(bytes.bytes)};
  }

 private:
  static int main(ChildReport<processes>& report, std::span<const std::byte> bytes) {
    SpawnedBytes from(bytes);
    const auto& information =  // for as long as the process
        *new ProcessInformation{.pid = 0, .name = from.next<std::string>(), .daemon = from.next<bool>()};
    return run_as_process(report, information, [&from] {
      F function = read_function(from);
      return exit_code_of(function, std::tuple<A...>{from.next<A>()...});
    });
  }

  static F read_function([[maybe_unused]] SpawnedBytes& from) {
    if constexpr (pointer) {
      return os::Image::here().at<std::remove_pointer_t<F>>(from.next<std::uint64_t>());
    } else {
      return F();
    }
  }
};

/// To be called first in main() of a program that starts processes by spawn: if this is such a process it runs its function and
/// ends; else it does nothing.
inline void main_hook(int argc, char** argv) {
  if (!os::Spawned::asked(argc, argv)) return;
  int code = EXIT_FAILURE;
  try {
    ChildReport<processes>* report = nullptr;
    static const os::Spawned order = os::Spawned::find(argv, report);  // for as long as the process
    report->begin();
    code = os::Image::here().at<SpawnedMain>(order.function())(*report, order.bytes());
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
  }
  std::exit(code);
}

}  // namespace trine
