# cmake -DCOMPILER=... -DINCLUDE=... -DSOURCE=... -P must_fail.cmake
#
# SOURCE must not compile, for the reason that its first line gives: `// expect: REGEX` matches what the compiler says.
# With TRINE_CONTROL defined it must compile: whatever is wrong with it besides is noticed so.

cmake_minimum_required(VERSION 3.24)

file(STRINGS ${SOURCE} first LIMIT_COUNT 1)
if(NOT first MATCHES "^// expect: (.+)$")
  message(FATAL_ERROR "${SOURCE}: the first line is not `// expect: REGEX`")
endif()
set(expected "${CMAKE_MATCH_1}")

function(compile result output)
  execute_process(
    COMMAND ${CMAKE_COMMAND} -E env LC_ALL=C ${COMPILER} -std=c++20 -fsyntax-only -I${INCLUDE} ${ARGN} ${SOURCE}
    RESULT_VARIABLE code
    OUTPUT_VARIABLE text
    ERROR_VARIABLE text
  )
  set(${result} "${code}" PARENT_SCOPE)
  set(${output} "${text}" PARENT_SCOPE)
endfunction()

compile(result output -DTRINE_CONTROL)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${SOURCE} does not compile with TRINE_CONTROL defined, where nothing is wrong:\n${output}")
endif()

compile(result output)
if(result EQUAL 0)
  message(FATAL_ERROR "${SOURCE} compiles")
elseif(NOT output MATCHES "${expected}")
  message(FATAL_ERROR "${SOURCE} fails without saying `${expected}`:\n${output}")
endif()
