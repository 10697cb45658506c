// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cpuid.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <string_view>

namespace trine::os {

/// What the processor says of itself (CPUID).
class ProcessorX86 {
 public:
  /// Whether what interrupts a thread comes before an instruction of its or after it. So it is on a processor, also under a
  /// hypervisor, if it is one that is known to let the processor execute programs. An emulator makes several instructions of
  /// one that reads and writes memory, and the system may interrupt it amid them: false. So is it where nobody knows.
  static bool interrupts_between_instructions() noexcept {
    if (registers_of(0).text({1, 3, 2}) == "VirtualApple") return false;                  // Rosetta
    const Registers brand = registers_of(0x80000002);
    if (brand.text({0, 1, 2}).starts_with("Box")) return false;                           // Box64, Box32
    const Text hypervisor = registers_of(0x40000000).text({1, 2, 3});
    if (hypervisor == "TCGTCGTCGTCG" || hypervisor == "FEXIFEXIEMU") return false;  // QEMU without a hypervisor; FEX
    const bool is_hypervised = (registers_of(1).of[2] >> 31 & 1U) != 0;
    return !is_hypervised || std::find(known.begin(), known.end(), hypervisor) != known.end();
  }

 private:
  static constexpr std::array<std::string_view, 10> known{
      "KVMKVMKVM",    "Linux KVM Hv", "Microsoft Hv", "VMwareVMware", "XenVMMXenVMM",
      "VBoxVBoxVBox", "bhyve bhyve ", "prl hyperv  ", " lrpepyh  vr", "ACRNACRNACRN"};

  // Twelve letters at most.
  struct Text {
    std::array<char, 13> letters{};
    [[nodiscard]] std::string_view view() const noexcept { return letters.data(); }
    [[nodiscard]] bool starts_with(std::string_view text) const noexcept { return view().starts_with(text); }
    friend bool operator==(const Text& text, std::string_view other) noexcept { return text.view() == other; }
  };

  struct Registers {
    std::array<unsigned, 4> of{};  // eax, ebx, ecx, edx

    [[nodiscard]] Text text(std::array<std::size_t, 3> order) const noexcept {
      Text text;
      for (std::size_t i = 0; i < 3; ++i) std::memcpy(text.letters.data() + 4 * i, &of[order[i]], 4);
      return text;
    }
  };

  static Registers registers_of(unsigned leaf) noexcept {
    Registers registers;
    auto& [a, b, c, d] = registers.of;
    __cpuid(leaf, a, b, c, d);
    return registers;
  }
};

}  // namespace trine::os
