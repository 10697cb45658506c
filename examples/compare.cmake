# cmake -DPROGRAM=... -DEXPECTED=... -P compare.cmake
#
# PROGRAM must succeed and print exactly what is in the file EXPECTED.

cmake_minimum_required(VERSION 3.24)

file(READ ${EXPECTED} expected)
execute_process(COMMAND ${PROGRAM} RESULT_VARIABLE code OUTPUT_VARIABLE output)
if(NOT code EQUAL 0 OR NOT "${output}" STREQUAL "${expected}")
  message("--- expected, with exit code 0:\n${expected}--- printed, with exit code ${code}:\n${output}---")
  message(FATAL_ERROR "${PROGRAM} does not do what ${EXPECTED} says")
endif()
