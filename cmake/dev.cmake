# Everything that is built only for those who work on trine itself.

option(TRINE_TESTS "Build the tests" ON)
option(TRINE_EXAMPLES "Build the examples" ON)
option(TRINE_BENCHMARKS "Build the benchmarks" ON)
set(TRINE_TEST_SETS coroutines processes CACHE STRING "The sets of backends beside threads that the behaviour suites are built for")
option(TRINE_TEST_FIRST_ONLY "Build the behaviour suites for the first backend of each set alone" OFF)
set(TRINE_TEST_FOLDERS behaviour stress model litmus process coroutine CACHE STRING "The folders of tests to build")
set(TRINE_TEST_ONLY "" CACHE STRING "Of the folders that this names at all, the tests to build, as folder_stem; of the others all")

set(CMAKE_CXX_EXTENSIONS OFF)
set(trine_warning_options -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror)

# What each of our own programs is built with: trine, all of its components that are here, and the warnings.
add_library(trine_warnings INTERFACE)
target_compile_options(trine_warnings INTERFACE ${trine_warning_options})
add_library(trine_own INTERFACE)
target_link_libraries(trine_own INTERFACE trine::trine trine_warnings)
# GCC spends a tenth of its time for a large test on collecting garbage, where it may not take half a gigabyte first.
target_compile_options(trine_own INTERFACE $<$<CXX_COMPILER_ID:GNU>:--param=ggc-min-heapsize=524288>)
foreach(component IN LISTS trine_components)
  if(TARGET trine::${component})
    target_link_libraries(trine_own INTERFACE trine::${component})
  endif()
endforeach()

enable_testing()
if(TRINE_TESTS)
  add_subdirectory(tests)
endif()
if(TRINE_EXAMPLES)
  add_subdirectory(examples)
endif()
if(TRINE_BENCHMARKS)
  add_subdirectory(benchmarks)
endif()

# The target all_verify_interface_header_sets compiles each header alone. The options of the directory are the only ones
# that reach it; they come last, so that they are set for nothing else.
set_target_properties(trine PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
add_compile_options(${trine_warning_options})
