// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#define TRINE_OS_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TRINE_OS_ADDRESS_SANITIZER 1
#endif
#endif

#if defined(TRINE_OS_ADDRESS_SANITIZER)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace trine::os {

/// What the C++ runtime keeps of the exceptions in flight: it belongs to a stack, not to the thread that runs it.
struct ExceptionState {
  void* caught = nullptr;
  unsigned int uncaught = 0;
};
}  // namespace trine::os

namespace __cxxabiv1 {
struct __cxa_eh_globals;
extern "C" __cxa_eh_globals* __cxa_get_globals() noexcept;
}  // namespace __cxxabiv1

namespace trine::os {

/// A stack of its own on which a function runs, and from which one switches to another and back, within one thread. A
/// context made by the default constructor stands for the stack of whoever switches away from it.
class Context {
 public:
  Context() = default;
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  /// Makes it begin with `entry` at the next switch to it. `entry` must never return. Keeps the stack of an earlier use.
  void prepare(void (*entry)(), std::size_t stack_size) {
    if (!stack_) {
      stack_.reset(new std::byte[stack_size]);
      size_ = stack_size;
    }
#if defined(TRINE_OS_ADDRESS_SANITIZER)
    __asan_unpoison_memory_region(stack_.get(), size_);  // what an earlier use has left there never returned
#endif
    entry_ = entry;
    exceptions_ = {};
    make();
  }

  /// Leaves `from`, which must be the one that runs, for `to`; returns when somebody switches back.
  static void change(Context& from, Context& to) {
    auto& running = *reinterpret_cast<ExceptionState*>(__cxxabiv1::__cxa_get_globals());
    from.exceptions_ = std::exchange(running, to.exceptions_);
#if defined(TRINE_OS_ADDRESS_SANITIZER)
    void* fake = nullptr;
    __sanitizer_start_switch_fiber(&fake, to.bottom_, to.extent_);
    jump(from, to);
    __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#else
    jump(from, to);
#endif
  }

  /// The same for good: nobody will switch back to `from` unless it is prepared again.
  [[noreturn]] static void leave(Context& from, Context& to) {
    *reinterpret_cast<ExceptionState*>(__cxxabiv1::__cxa_get_globals()) = to.exceptions_;
#if defined(TRINE_OS_ADDRESS_SANITIZER)
    __sanitizer_start_switch_fiber(nullptr, to.bottom_, to.extent_);
#endif
    jump(from, to);
    __builtin_unreachable();
  }

  /// To be called first of all by an entry function; `from` is the context that switched to it.
  static void arrived([[maybe_unused]] Context& from) {
#if defined(TRINE_OS_ADDRESS_SANITIZER)
    __sanitizer_finish_switch_fiber(nullptr, &from.bottom_, &from.extent_);
#endif
  }

 private:
  std::unique_ptr<std::byte[]> stack_;
  std::size_t size_ = 0;
  void (*entry_)() = nullptr;
  ExceptionState exceptions_;
#if defined(TRINE_OS_ADDRESS_SANITIZER)
  const void* bottom_ = nullptr;  // of the stack that runs here, own or foreign
  std::size_t extent_ = 0;
#endif

#if defined(__x86_64__)
  void make() {
    auto top = reinterpret_cast<std::uintptr_t>(stack_.get() + size_) & ~std::uintptr_t{15};
    auto* const frame = reinterpret_cast<void**>(top);
    frame[-1] = nullptr;  // where the entry function would return to
    frame[-2] = reinterpret_cast<void*>(entry_);
    pointer_ = frame - 2;  // the entry begins as if called: the stack is 8 off a multiple of 16
    remember_stack();
  }

  // Everything but the stack pointer, rbx and rbp is named as overwritten, so that the compiler saves what it needs.
  [[gnu::noinline]] static void jump(Context& from, Context& to) {
    void** save = &from.pointer_;
    void* load = to.pointer_;
    asm volatile(
        "leaq -128(%%rsp), %%rsp\n\t"  // below the red zone
        "pushq %%rbp\n\t"
        "pushq %%rbx\n\t"
        "leaq 1f(%%rip), %%rax\n\t"
        "pushq %%rax\n\t"
        "movq %%rsp, (%0)\n\t"
        "movq %1, %%rsp\n\t"
        "popq %%rax\n\t"
        "jmpq *%%rax\n\t"  // not ret: the processor predicts those by calls
        "1:\n\t"
        "popq %%rbx\n\t"
        "popq %%rbp\n\t"
        "leaq 128(%%rsp), %%rsp\n\t"
        : "+D"(save), "+S"(load)
        :
        : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4",
          "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "memory", "cc");
  }

  void* pointer_ = nullptr;
#else
  void make() {
    getcontext(&context_);
    context_.uc_stack.ss_sp = stack_.get();
    context_.uc_stack.ss_size = size_;
    context_.uc_link = nullptr;
    makecontext(&context_, entry_, 0);
    remember_stack();
  }

  static void jump(Context& from, Context& to) { swapcontext(&from.context_, &to.context_); }

  ucontext_t context_{};
#endif

  void remember_stack() {
#if defined(TRINE_OS_ADDRESS_SANITIZER)
    bottom_ = stack_.get();
    extent_ = size_;
#endif
  }
};

}  // namespace trine::os
