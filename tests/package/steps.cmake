# The steps that the scripts of this folder are made of.

cmake_minimum_required(VERSION 3.24)
file(REMOVE_RECURSE ${BUILD})
string(REPLACE "," ";" COMPONENTS "${COMPONENTS}")

# Runs a command, which must succeed; what it printed goes to `output`.
function(run output)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE code OUTPUT_VARIABLE text ERROR_VARIABLE text)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "failed (${code}): ${ARGN}\n${text}")
  endif()
  set(${output} "${text}" PARENT_SCOPE)
endfunction()

# Runs the consumer, which must print "ok".
function(run_consumer program)
  run(output ${program})
  if(NOT output STREQUAL "ok\n")
    message(FATAL_ERROR "${program} printed `${output}`")
  endif()
endfunction()

set(configure ${CMAKE_COMMAND} -G ${GENERATOR} -DCMAKE_CXX_COMPILER=${COMPILER})
